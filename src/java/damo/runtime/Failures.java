package damo.runtime;

import damo.DamoException;
import damo.edn.Edn;
import damo.program.Kernel;
import damo.program.Loop;
import damo.program.Notes;
import damo.program.Program;
import damo.program.Step;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Native failures as exceptions: which expression, written where, and the values at fault. */
final class Failures {
    private final Program program;
    /** For each note, whether a {@code :require} or a step refers to it, and not an index. */
    private final boolean[] requirements;
    /** The routines that report a failure with a note, by note. */
    private final Map<Integer, String> routines = new HashMap<>();

    Failures(Program program) {
        this.program = program;
        this.requirements = new boolean[program.notes().size()];
        program.kernels().forEach(k -> markRequirements(k.body()));
        for (Step step : program.all()) {
            if (step.reports() >= 0) {
                requirements[step.reports()] = true;
                routines.put(step.reports(), step.reporter());
            }
        }
    }

    private void markRequirements(List<Kernel.Stmt> body) {
        for (Kernel.Stmt s : body) {
            if (s instanceof Kernel.Require r) {
                requirements[r.note()] = true;
            }
            markRequirements(s.inner());
        }
    }

    /**
     * The exception for a failed call: kind "index-out-of-bounds", "requirement-failed" for a
     * {@code :require} or a step, or "not-finite" for one whose note is of a guard; its data has
     * the note's entries, value and extent of an index, element and value of a guard, what a
     * routine reported.
     */
    DamoException of(long note, long value, long extent) {
        boolean known = note >= 0 && note < program.notes().size();
        Map<String, Object> about = known ? program.notes().get((int) note) : Map.of();
        Map<String, Object> data = new LinkedHashMap<>(about);
        data.put("function", program.name());
        if (Boolean.TRUE.equals(about.get("guard")) && about.get("message") != null) {
            return reported(about, data, value, (long) Double.longBitsToDouble(extent));
        }
        if (Boolean.TRUE.equals(about.get("guard"))) {
            return notFinite(program, about, data, value, Double.longBitsToDouble(extent));
        }
        if (!known || !requirements[(int) note]) {
            return outOfBounds(about, data, value, extent);
        }
        String routine = routines.get((int) note);
        if (routine != null) {
            data.put("routine", routine);
            data.put("reported", value);
        }
        return new DamoException("requirement-failed", Notes.message(program.name(), about,
                routine == null ? "" : routine + " reported " + value), data);
    }

    /**
     * The exception for a report of a routine that a guard with a message refuses, of which the
     * message has {@code %d} in its place: kind "factorisation-failed", with the number of the
     * matrix in its batch and the report in its data.
     */
    private DamoException reported(Map<String, Object> about, Map<String, Object> data, long matrix,
                                   long report) {
        boolean batch = !"[:f64 []]".equals(about.get("type"));
        String message = about.get("message").toString().replace("%d", Long.toString(report));
        Map<String, Object> told = new LinkedHashMap<>(about);
        told.put("message", batch ? message + ", in matrix " + matrix + " of the batch" : message);
        data.remove("guard");
        data.put("message", told.get("message"));
        data.put("matrix", matrix);
        data.put("reported", report);
        return new DamoException("factorisation-failed", Notes.message(program.name(), told, ""),
                data);
    }

    private DamoException outOfBounds(Map<String, Object> about, Map<String, Object> data,
                                      long value, long extent) {
        boolean fromEnd = Boolean.TRUE.equals(data.remove("from-end"));
        long index = fromEnd && value < 0 ? value - extent : value;
        data.put("value", index);
        data.put("extent", extent);
        return new DamoException("index-out-of-bounds", Notes.message(program.name(), about,
                outside(index, fromEnd ? -extent : 0, extent)), data);
    }

    /**
     * The exception of a failure inside of loops: its message tells the round of each, the
     * outermost first, and its data has them, {@code iterations}.
     */
    DamoException inRounds(DamoException e, long[][] rounds) {
        if (rounds.length == 0 || e.kind().equals("interrupted")) {
            return e;
        }
        Map<String, Object> data = new LinkedHashMap<>(e.data());
        StringBuilder where = new StringBuilder("\n  in iteration ");
        List<Long> numbers = new ArrayList<>();
        for (long[] round : rounds) {
            where.append(numbers.isEmpty() ? "" : ", iteration ").append(round[1]);
            numbers.add(round[1]);
            if (program.all().get((int) round[0]) instanceof Loop loop && loop.note() >= 0
                    && program.notes().get(loop.note()).get("expr") != null) {
                where.append(" of ").append(program.notes().get(loop.note()).get("expr"));
            }
        }
        data.put("iterations", numbers);
        return new DamoException(e.kind(), e.what() + where, data, e.getCause());
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
    static DamoException host(Program p, Step.RunHost step, List<String> inputs, String output,
                              Throwable cause) {
        Map<String, Object> note = p.notes().get(step.note());
        Map<String, Object> data = new LinkedHashMap<>(note);
        Map<Object, Object> attributes = new LinkedHashMap<>(step.attrs());
        attributes.putAll(step.sized());
        data.put("function", p.name());
        data.put("op", step.op());
        data.put("attributes", Edn.write(attributes));
        data.put("inputs", inputs);
        data.put("output", output);
        String what = cause instanceof DamoException e ? e.what() : cause.toString();
        return new DamoException("host-kernel", "in " + p.name() + ": the kernel of the op "
                + step.op() + " failed: " + what
                + (attributes.isEmpty() ? "" : "\n  attributes: " + Edn.write(attributes))
                + "\n  inputs: " + String.join(" ", inputs) + "\n  output: " + output
                + Notes.place(note), data, cause);
    }

    private static String outside(long index, long least, long extent) {
        return "the index " + index + (extent == 0 ? " has nothing to choose from"
                : " is not in " + least + " … " + (extent - 1));
    }
}
