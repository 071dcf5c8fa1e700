package damo.codegen;

import damo.program.CallArguments;
import damo.program.Routine;
import damo.program.Step;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** Call steps of {@code damo_call}: one call of a routine each, as its entry in calls.edn says. */
final class RoutineWriter {
    private final Lines lines;
    private final SizeWriter sizes;
    private final IntFunction<String> buffers;
    private final Outside outside;

    /**
     * Writes to {@code lines}; {@code buffers} gives the address of each buffer, {@code outside}
     * learns of the routines.
     */
    RoutineWriter(Lines lines, SizeWriter sizes, IntFunction<String> buffers, Outside outside) {
        this.outside = outside;
        this.lines = lines;
        this.sizes = sizes;
        this.buffers = buffers;
    }

    private static String result(Routine r) {
        return r.result() == null ? "void" : Types.value(r.result().dtype());
    }

    private static String type(Routine.Param param) {
        return switch (param) {
            case Routine.Array p -> "ptr";
            case Routine.Pointer p -> "ptr";
            case Routine.Report p -> "ptr";
            // C promotes what is narrower than an int.
            default -> Types.value(param.dtype())
                    + (param.dtype() == DType.I8 ? " signext" : "");
        };
    }

    /** Appends the step. */
    void write(Step.Call step) {
        Routine routine = step.routine();
        outside.call(routine.library(), routine.symbol(), result(routine) + " @" + routine.symbol()
                + "(" + String.join(", ", routine.params().stream().map(RoutineWriter::type)
                .toList()) + ")");
        List<String> args = new ArrayList<>();
        List<String> reports = new ArrayList<>();
        for (Routine.Param param : routine.params()) {
            String operand = param instanceof Routine.Report r ? slot(r.dtype(), "0")
                    : operand(step, param);
            if (param instanceof Routine.Report) {
                reports.add(operand);
            }
            args.add(type(param) + " " + operand);
        }
        String call = "@" + routine.symbol() + "(" + String.join(", ", args) + ")";
        if (routine.result() == null) {
            lines.add("call void ", call);
        } else {
            result(step, routine.result(), lines.value("call ", result(routine), " ", call));
        }
        for (Routine.Param param : routine.params()) {
            if (param instanceof Routine.Report r) {
                report(step, r.dtype(), lines.value("load ", Types.value(r.dtype()), ", ptr ",
                        reports.removeFirst()));
            }
        }
    }

    private String operand(Step.Call step, Routine.Param param) {
        return switch (param) {
            case Routine.Constant p -> Long.toString(p.value());
            case Routine.Choice p -> Long.toString(step.args().choices().get(p.name()));
            case Routine.Dim p -> narrowed(p.dtype(),
                    sizes.write(step.args().sizes().get(p.name())));
            case Routine.Number p -> number(p.dtype(), step.args().numbers().get(p.name()));
            case Routine.Array p -> address(p.dtype(), step.args().places().get(p.name()));
            case Routine.Pointer p -> slot(p.dtype(), operand(step, p.to()));
            case Routine.Report p -> throw new AssertionError("has no value: " + p);
            case Routine.Value p -> throw new AssertionError("is no parameter: " + p);
        };
    }

    /** A size is known to fit: the bounds check has looked. */
    private String narrowed(DType dtype, String size) {
        return dtype == DType.I64 || !size.startsWith("%") ? size
                : lines.value("trunc i64 ", size, " to ", Types.value(dtype));
    }

    private String number(DType dtype, Step.Scale s) {
        return s.buffer() < 0 ? Types.literal(dtype, Double.doubleToRawLongBits(s.value()))
                : lines.value("load ", Types.value(dtype), ", ptr ", buffers.apply(s.buffer()));
    }

    private String address(DType dtype, CallArguments.Place place) {
        return lines.value("getelementptr inbounds ", Types.memory(dtype), ", ptr ",
                buffers.apply(place.buffer()), ", i64 ", sizes.write(place.offset()));
    }

    /** The address of memory of the function that holds that value. */
    private String slot(DType dtype, String value) {
        String slot = lines.slot(lines.fresh(), Types.value(dtype));
        lines.add("store ", Types.value(dtype), " ", value, ", ptr ", slot);
        return slot;
    }

    private void result(Step.Call step, Routine.Param result, String value) {
        if (result instanceof Routine.Value v) {
            lines.add("store ", Types.value(v.dtype()), " ", value, ", ptr ",
                    address(v.dtype(), step.args().places().get(v.name())));
        } else {
            report(step, result.dtype(), value);
        }
    }

    private void report(Step.Call step, DType dtype, String value) {
        String wide = dtype == DType.I64 ? value
                : lines.value("sext ", Types.value(dtype), " ", value, " to i64");
        lines.stopUnless(lines.value("icmp eq i64 ", wide, ", 0"), step.note(), wide, "0");
    }
}
