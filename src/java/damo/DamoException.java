package damo;

import java.util.Map;

/**
 * The one exception of the core: bad input of any kind, a failed check of a compiled function, or
 * memory that cannot be had. {@link #kind()} is stable and meant for programs; the message is meant
 * for people; {@link #data()} carries what the message says.
 */
public final class DamoException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String kind;
    private final transient Map<String, Object> data;

    /**
     * An exception of that kind, for instance {@code "shape-mismatch"}, with its data by name. What
     * to try, {@code "try"} in the data or else the advice for the kind, stands behind the message.
     */
    public DamoException(String kind, String message, Map<String, Object> data, Throwable cause) {
        super(message, cause);
        this.kind = kind;
        this.data = Advice.with(kind, data == null ? Map.of() : data);
    }

    /** The same without a cause. */
    public DamoException(String kind, String message, Map<String, Object> data) {
        this(kind, message, data, null);
    }

    /** The same without data. */
    public DamoException(String kind, String message) {
        this(kind, message, Map.of(), null);
    }

    /** What went wrong, in kebab-case. */
    public String kind() {
        return kind;
    }

    /** What went wrong and, where that is known, what to try. */
    @Override
    public String getMessage() {
        Object advice = data.get(Advice.KEY);
        return advice == null ? what() : what() + "\n  try: " + advice;
    }

    /** The message without what to try. */
    public String what() {
        return super.getMessage();
    }

    /** What the message is made of; never null. */
    public Map<String, Object> data() {
        return data;
    }
}
