package damo.runtime;

import damo.DamoException;
import damo.program.Program;
import java.util.LinkedHashMap;
import java.util.Map;

/** Native failures as exceptions: which expression, written where, and the values at fault. */
final class Failures {
    private Failures() { }

    /**
     * The exception for a failed call: kind "index-out-of-bounds", or "requirement-failed" for a
     * {@code :require}; its data has the note's entries, and value and extent of an index.
     */
    static DamoException of(Program p, boolean[] requirements, long note, long value, long extent) {
        boolean known = note >= 0 && note < p.notes().size();
        Map<String, Object> about = known ? p.notes().get((int) note) : Map.of();
        Map<String, Object> data = new LinkedHashMap<>(about);
        data.put("function", p.name());
        boolean required = known && requirements[(int) note];
        if (!required) {
            data.put("value", value);
            data.put("extent", extent);
        }
        return new DamoException(required ? "requirement-failed" : "index-out-of-bounds",
                message(p, about, required ? "" : outside(value, extent)), data);
    }

    private static String outside(long value, long extent) {
        return "the index " + value + (extent == 0 ? " has nothing to choose from"
                : " is not in 0 … " + (extent - 1));
    }

    private static String message(Program p, Map<String, Object> note, String what) {
        StringBuilder text = new StringBuilder("in ").append(p.name()).append(": ");
        if (note.get("op") != null) {
            text.append(note.get("op")).append(": ");
        }
        Object message = note.get("message");
        if (message != null) {
            text.append(message).append(what.isEmpty() ? "" : "; ");
        }
        text.append(message == null && what.isEmpty() ? "a requirement does not hold" : what);
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
