package damo.program;

import damo.DamoException;
import damo.edn.Edn;
import java.util.Map;
import java.util.function.Supplier;

/** A place in a program, known lazily, and the exceptions of kind "bad-program" that name it. */
final class Where {
    private final Supplier<String> place;

    Where(Supplier<String> place) {
        this.place = place;
    }

    /** A fixed place. */
    static Where of(String place) {
        return new Where(() -> place);
    }

    /** An exception with that message at this place. */
    DamoException bad(String message) {
        String at = place.get();
        return new DamoException("bad-program", "bad program: " + at + ": " + message,
                Map.of("where", at));
    }

    /** An exception saying what was expected and what was found instead. */
    DamoException expected(String expected, Object found) {
        return bad("expected " + expected + ", found " + Edn.brief(found));
    }
}
