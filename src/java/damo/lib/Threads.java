package damo.lib;

import damo.DamoException;
import java.util.Map;

/**
 * How many threads a call may use in this process, the one that calls among them: for loops and
 * products, and for functions of the BLAS library. The system property {@code damo.threads} says
 * with how many it begins, 1 unless told.
 */
public final class Threads {
    /** No call has more. */
    public static final int MOST = 1024;

    private static final String PROPERTY = "damo.threads";
    private static volatile int number;

    private Threads() { }

    /** The number of this moment. Throws "bad-threads" when the property says none. */
    public static int get() {
        int known = number;
        return known != 0 ? known : configured();
    }

    /**
     * Sets the number for calls that begin from now on. Throws kind {@code "bad-threads"} when it
     * is below 1 or above {@link #MOST}.
     */
    public static synchronized void set(int n) {
        number = check(n);
        Blas.tell(n);
    }

    /** The number, unless it is none that {@link #set} takes. */
    public static int check(int n) {
        if (n < 1 || n > MOST) {
            throw new DamoException("bad-threads", "the number of threads must be at "
                    + (n < 1 ? "least 1" : "most " + MOST) + ", not " + n, Map.of("threads", n));
        }
        return n;
    }

    private static synchronized int configured() {
        if (number == 0) {
            String text = System.getProperty(PROPERTY, "1");
            number = check(text.matches("[0-9]{1,9}") ? Integer.parseInt(text) : 0);
        }
        return number;
    }
}
