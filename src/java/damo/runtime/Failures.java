package damo.runtime;

import damo.DamoException;
import damo.program.Edn;
import damo.program.Program;
import java.util.LinkedHashMap;
import java.util.List;
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

    /**
     * The exception for a kernel of the application that threw: kind "host-kernel", with the note,
     * the attributes and the types of inputs and output in its data.
     */
    static DamoException host(Program p, Program.RunHost step, List<String> inputs, String output,
                              Throwable cause) {
        Map<String, Object> note = p.notes().get(step.note());
        Map<String, Object> data = new LinkedHashMap<>(note);
        data.put("function", p.name());
        data.put("op", step.op());
        data.put("attributes", Edn.write(step.attrs()));
        data.put("inputs", inputs);
        data.put("output", output);
        String what = cause instanceof DamoException ? cause.getMessage() : cause.toString();
        return new DamoException("host-kernel", "in " + p.name() + ": the kernel of the op "
                + step.op() + " failed: " + what
                + (step.attrs().isEmpty() ? "" : "\n  attributes: " + Edn.write(step.attrs()))
                + "\n  inputs: " + String.join(" ", inputs) + "\n  output: " + output
                + place(note), data, cause);
    }

    /** The expression of a note and where it was written, as lines of a message. */
    static String place(Map<String, Object> note) {
        StringBuilder text = new StringBuilder();
        if (note.get("expr") != null) {
            text.append("\n  expression: ").append(note.get("expr"));
        }
        if (note.get("file") != null) {
            text.append("\n  written at: ").append(note.get("file"));
            text.append(note.get("line") == null ? "" : ":" + note.get("line"));
        }
        return text.toString();
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
        return text.append(place(note)).toString();
    }
}
