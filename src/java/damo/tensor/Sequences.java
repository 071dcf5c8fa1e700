package damo.tensor;

import damo.DamoException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.RandomAccess;

/**
 * The lengths of lists, of which some have no end: a lazy sequence of Clojure is a list whose size
 * is found by walking it, for ever where it is infinite.
 */
public final class Sequences {
    /** A lazy sequence of more elements is refused; less in a small heap, which it would fill. */
    static final int MOST = (int) Math.min(1 << 22, Runtime.getRuntime().maxMemory() / 256);

    /** Whether lists of a class know their size. */
    private static final ClassValue<Boolean> COUNTED = new ClassValue<>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
            return !type.getName().startsWith("clojure.lang.") || counts(type);
        }
    };

    private Sequences() { }

    /** The length of the list. Throws "bad-data" when it is lazy and has too many elements. */
    public static int length(List<?> list) {
        if (list instanceof RandomAccess || COUNTED.get(list.getClass())) {
            return list.size();
        }
        int length = 0;
        for (Iterator<?> i = list.iterator(); i.hasNext(); i.next()) {
            if (++length > MOST) {
                throw new DamoException("bad-data", "a lazy sequence is taken as data up to " + MOST
                        + " elements, and this one has more; if it has an end, make it a vector "
                        + "or an array first", Map.of("limit", MOST));
            }
        }
        return length;
    }

    private static boolean counts(Class<?> type) {
        for (Class<?> c = type; c != null; c = c.getSuperclass()) {
            for (Class<?> i : c.getInterfaces()) {
                if (i.getName().equals("clojure.lang.Counted") || counts(i)) {
                    return true;
                }
            }
        }
        return false;
    }
}
