package damo.codegen;

import java.util.List;
import java.util.Map;

/**
 * Texts that make one piece of code; the functions of libraries and of the application that they
 * declare, each with its library, which is "" for the application; and those of other functions
 * that they declare, each with the module that defines it. The latter are the same, name for name,
 * in all modules for one width of vectors.
 */
public record LlvmModule(List<Text> texts, Map<String, String> externals,
                         Map<String, LlvmModule> shared) {
    /** What a text holds, and so what LLVM shall do for it. */
    public enum Kind {
        /** Loops, where nearly all of a call's time goes. */
        LOOPS,
        /** Loops that shall be compiled in half the time, and may run longer. */
        QUICK_LOOPS,
        /** Loops that are written as they shall stay: only instructions are chosen with care. */
        FINISHED,
        /** A few instructions between calls, for which whatever takes time would be wasted. */
        STEPS
    }

    /** A text, which is compiled by itself. */
    public record Text(String ir, Kind kind) { }

    /** The module whose own loops are compiled quickly. */
    public LlvmModule quick() {
        return new LlvmModule(texts.stream().map(text -> text.kind() == Kind.LOOPS
                ? new Text(text.ir(), Kind.QUICK_LOOPS) : text).toList(), externals, shared);
    }

    /** All texts, one after the other. */
    public String text() {
        return String.join("\n", texts.stream().map(Text::ir).toList());
    }
}
