package damo.runtime;

import damo.DamoException;
import damo.program.Edn;
import damo.program.Notes;
import damo.program.Program;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Native failures as exceptions: which expression, written where, and the values at fault. */
final class Failures {
    private Failures() { }

    /**
     * The exception for a failed call: kind "index-out-of-bounds", "requirement-failed" for a
     * {@code :require}, or "not-finite" for one whose note is of a guard; its data has the note's
     * entries, value and extent of an index, element and value of a guard.
     */
    static DamoException of(Program p, boolean[] requirements, long note, long value, long extent) {
        boolean known = note >= 0 && note < p.notes().size();
        Map<String, Object> about = known ? p.notes().get((int) note) : Map.of();
        Map<String, Object> data = new LinkedHashMap<>(about);
        data.put("function", p.name());
        if (Boolean.TRUE.equals(about.get("guard"))) {
            return notFinite(p, about, data, value, Double.longBitsToDouble(extent));
        }
        boolean required = known && requirements[(int) note];
        if (!required) {
            boolean fromEnd = Boolean.TRUE.equals(data.remove("from-end"));
            long index = fromEnd && value < 0 ? value - extent : value;
            data.put("value", index);
            data.put("extent", extent);
            return new DamoException("index-out-of-bounds", Notes.message(p.name(), about,
                    outside(index, fromEnd ? -extent : 0, extent)), data);
        }
        return new DamoException("requirement-failed", Notes.message(p.name(), about, ""), data);
    }

    /** The exception for a value that a guard refuses: kind "not-finite". */
    private static DamoException notFinite(Program p, Map<String, Object> note,
                                           Map<String, Object> data, long element, double value) {
        data.remove("guard");
        data.put("element", element);
        data.put("value", value);
        boolean leaf = "input".equals(note.get("op")) || "shared".equals(note.get("op"));
        data.put("try", (leaf ? "look at the data that is given for it"
                : "keep its arguments where it is finite, by clip or where")
                + (Double.isInfinite(value)
                        ? "; {:mode :nan-guard :inf false} lets infinities pass" : ""));
        return new DamoException("not-finite", "in " + p.name() + ": "
                + (leaf ? "the " + note.get("op") + " " + note.get("expr") + " has "
                        : note.get("op") + " gave ")
                + value + " at element " + element + " (row-major) of " + note.get("type")
                + Notes.place(note), data);
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
        String what = cause instanceof DamoException e ? e.what() : cause.toString();
        return new DamoException("host-kernel", "in " + p.name() + ": the kernel of the op "
                + step.op() + " failed: " + what
                + (step.attrs().isEmpty() ? "" : "\n  attributes: " + Edn.write(step.attrs()))
                + "\n  inputs: " + String.join(" ", inputs) + "\n  output: " + output
                + Notes.place(note), data, cause);
    }

    private static String outside(long index, long least, long extent) {
        return "the index " + index + (extent == 0 ? " has nothing to choose from"
                : " is not in " + least + " … " + (extent - 1));
    }
}
