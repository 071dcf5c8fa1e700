package damo.program;

import java.util.List;
import java.util.Map;

/** What the notes of a program say of a failure: the op, its expression, where it was written. */
public final class Notes {
    private Notes() { }

    /** The message of a note, in front of {@code what}, which says what the values were. */
    public static String message(String function, Map<String, Object> note, String what) {
        StringBuilder text = new StringBuilder("in ").append(function).append(": ");
        if (note.get("op") != null) {
            text.append(note.get("op")).append(": ");
        }
        Object message = note.get("message");
        if (message != null) {
            text.append(message).append(what.isEmpty() ? "" : "; ");
        }
        text.append(message == null && what.isEmpty() ? "a requirement does not hold" : what);
        return text.append(place(note)).toString();
    }

    /** The arguments of a note, its expression and where that was written: lines of a message. */
    public static String place(Map<String, Object> note) {
        StringBuilder text = new StringBuilder();
        if (note.get("arguments") instanceof List<?> arguments) {
            for (int i = 0; i < arguments.size(); i++) {
                text.append("\n  argument ").append(i).append(": ").append(arguments.get(i));
            }
        }
        if (note.get("expr") != null) {
            text.append("\n  expression: ").append(note.get("expr"));
        }
        if (note.get("file") != null) {
            text.append("\n  written at: ").append(note.get("file"));
            text.append(note.get("line") == null ? "" : ":" + note.get("line"));
        }
        return text.toString();
    }
}
