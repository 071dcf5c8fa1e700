package damo.verify;

import damo.DamoException;
import damo.edn.Edn;
import damo.program.Notes;
import damo.program.Program;
import damo.program.Size;
import damo.program.Sizes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Binds a program's dimensions: sizes, memory layout, and the proof that every index stays inside
 * its buffer. Pure functions; run when dimensions change, not at each call.
 */
public final class Bindings {
    /** More statements and multiplications than this a call may not take. */
    static final double MOST_WORK = 1e17;

    private Bindings() { }

    /**
     * The program's sizes and layout for these values of its dimensions, in the order of {@code
     * :dims}. Throws a DamoException of kind "out-of-bounds" (an index that may leave its buffer),
     * "size-overflow" (beyond 64 bits), "requirement-failed" (by :requires), "bad-size" (a negative
     * size or a zero divisor) or "bad-program" (a port and its buffer disagree). Linear in the
     * program's text, except that the layout is quadratic in the number of temporaries.
     */
    public static Binding bind(Program p, long[] dims) {
        return bind(p, dims, false);
    }

    /** The same for a program that is trusted, when {@code vouched}, to write what it reads. */
    public static Binding bind(Program p, long[] dims, boolean vouched) {
        checkDims(p, dims);
        Ranges ranges = new Ranges(p, dims);
        SizeValues sizes = new SizeValues(p.dims(), dims, ranges);
        p.requirements().forEach(r -> checkRequirement(p, r, sizes));
        int n = p.buffers().size();
        long[] elements = new long[n];
        long[] bytes = new long[n];
        for (int id = 0; id < n; id++) {
            measure(p.buffers().get(id), id, sizes, elements, bytes);
        }
        List<long[]> inputs = shapes(p.inputs(), sizes, ranges, elements, "input ");
        List<long[]> state = shapes(p.state(), sizes, ranges, elements, "state ");
        List<long[]> outputs = shapes(p.outputs(), sizes, ranges, elements, "output ");
        double work = new StepBounds(p, ranges, sizes, elements).check(p.steps());
        if (work > MOST_WORK && p.counts().stream().anyMatch(c -> c.max() == null)) {
            work = Double.POSITIVE_INFINITY;
        }
        if (work > MOST_WORK && !Double.isInfinite(work)) {
            throw new DamoException("too-much-work", "in " + p.name() + ": a call would take some "
                    + String.format("%.1e", work) + " steps of computation, more than a machine"
                    + " does in months, for the dimensions " + p.dims() + " = "
                    + Arrays.toString(dims));
        }
        Coverage coverage = vouched ? null : Coverage.of(p, dims, elements);
        Arena arena = arena(p, bytes, coverage);
        return new Binding(dims.clone(), elements, bytes, arena.offsets(), arena.total(), inputs,
                state, outputs, vouched ? new boolean[0] : coverage.open(), work);
    }

    /**
     * The values of the program's dimensions, in the order of {@code :dims}, from the shapes of its
     * inputs followed by those of its state. Throws a DamoException of kind "shape-mismatch" that
     * names the port, the axis, what was expected and given, and which port bound the dimension;
     * its data has the same by name.
     */
    public static long[] dimsOf(Program p, long[][] shapes) {
        return dimsOf(p, shapes, new long[0]);
    }

    /**
     * The same where some are values of inputs, which are given in the order of {@code :valued}.
     * Throws kind "negative-dimension" for one that is.
     */
    public static long[] dimsOf(Program p, long[][] shapes, long[] values) {
        return new ShapeMatch(p, shapes, values).dims();
    }

    /**
     * The shape of an output after a call, given the values of all dimensions, counted ones last.
     * Throws a DamoException when its buffer, of that many elements, does not hold it.
     */
    public static long[] outputShape(Program p, int output, long[] dims, long elements) {
        List<String> names = new ArrayList<>(p.dims());
        p.counted().forEach(c -> names.add(c.dim()));
        SizeValues sizes = new SizeValues(names, dims);
        Program.Port port = p.outputs().get(output);
        long[] shape = shape(port, sizes, "output ");
        if (SizeValues.count(shape, "output " + Edn.write(port.name())) > elements) {
            throw misfit(port, "output ", shape, elements);
        }
        return shape;
    }

    /** Whether the shape of a port mentions a counted dimension. */
    public static boolean counted(Program p, Program.Port port) {
        return p.counted().stream().anyMatch(c -> port.shape().stream().anyMatch(
                size -> Sizes.mentions(size, c.dim())));
    }

    private static void checkDims(Program p, long[] dims) {
        if (dims.length != p.dims().size()) {
            throw new DamoException("shape-mismatch", "program " + Edn.write(p.name())
                    + " has the dimensions " + p.dims() + ", given " + dims.length + " values");
        }
        for (int d = 0; d < dims.length; d++) {
            if (dims[d] < 0) {
                throw new DamoException("shape-mismatch", "dimension " + p.dims().get(d)
                        + " is negative: " + dims[d]);
            }
        }
    }

    private static void checkRequirement(Program p, Program.Requirement r, SizeValues sizes) {
        try {
            long small = sizes.exact(r.small(), () -> "a requirement");
            long large = sizes.exact(r.large(), () -> "a requirement");
            if (small > large) {
                throw failed(p, r, r.small() instanceof Size.Int
                        ? valued(r.large(), large, sizes) + " is less than " + small
                        : valued(r.small(), small, sizes) + " is more than "
                        + valued(r.large(), large, sizes),
                        Map.of("small", small, "large", large));
            }
        } catch (DamoException e) {
            if (e.kind().equals("bad-size") && r.large() instanceof Size.Call c
                    && c.op() == Size.Op.DIV) {
                long whole = sizes.exact(c.x(), () -> "a requirement");
                long parts = sizes.exact(c.y(), () -> "a requirement");
                throw failed(p, r, valued(c.x(), whole, sizes) + " is no multiple of "
                        + valued(c.y(), parts, sizes), Map.of("whole", whole, "parts", parts,
                        "message", "a shape must come out even"));
            }
            throw e;
        }
    }

    private static DamoException failed(Program p, Program.Requirement r, String what,
            Map<String, Object> values) {
        Map<String, Object> note = p.notes().get(r.note());
        Map<String, Object> data = new LinkedHashMap<>(note);
        data.put("function", p.name());
        data.putAll(values);
        return new DamoException("requirement-failed", Notes.message(p.name(), data, what), data);
    }

    private static String valued(Size size, long value, SizeValues sizes) {
        return size instanceof Size.Call ? value + ", " + sizes.explain(size) + ","
                : sizes.explain(size);
    }

    private static void measure(Program.Buffer b, int id, SizeValues sizes, long[] elements,
            long[] bytes) {
        try {
            elements[id] = sizes.of(b.size(), () -> "buffer " + id);
            bytes[id] = Math.multiplyExact(elements[id], (long) b.dtype().bytes());
        } catch (ArithmeticException e) {
            throw SizeValues.fail("size-overflow", "buffer " + id + ": " + sizes.explain(b.size())
                    + " elements of :" + b.dtype().label()
                    + " are more bytes than 64 bits count", b.size());
        } catch (DamoException e) {
            Map<String, Object> data = new LinkedHashMap<>(e.data());
            data.put("buffer", (long) id);
            throw new DamoException(e.kind(), e.what(), data, e);
        }
    }

    /**
     * The axis lengths of ports, whose product must be the size of their buffer: that much memory
     * is what they bring.
     */
    private static List<long[]> shapes(List<Program.Port> ports, SizeValues sizes, Ranges ranges,
            long[] elements, String kind) {
        List<long[]> out = new ArrayList<>(ports.size());
        for (Program.Port port : ports) {
            long[] shape = shape(port, sizes, kind);
            // What a counted output has is known after the call only; see outputShape.
            boolean open = port.shape().stream().anyMatch(ranges::counted);
            if (!open && SizeValues.count(shape, kind + Edn.write(port.name()))
                    != elements[port.buffer()]) {
                throw misfit(port, kind, shape, elements[port.buffer()]);
            }
            out.add(shape);
        }
        return List.copyOf(out);
    }

    private static long[] shape(Program.Port port, SizeValues sizes, String kind) {
        long[] shape = new long[port.shape().size()];
        for (int axis = 0; axis < shape.length; axis++) {
            int a = axis;
            shape[axis] = sizes.of(port.shape().get(axis), () -> kind + Edn.write(port.name())
                    + ", axis " + a);
        }
        return shape;
    }

    private static DamoException misfit(Program.Port port, String kind, long[] shape,
            long elements) {
        return new DamoException("bad-program", "bad program: " + kind + Edn.write(port.name())
                + " of shape " + Arrays.toString(shape) + " has "
                + SizeValues.count(shape, kind + Edn.write(port.name()))
                + " elements, but its buffer " + port.buffer() + " has " + elements);
    }

    private static Arena arena(Program p, long[] bytes, Coverage coverage) {
        try {
            return Arena.layOut(p, bytes, coverage);
        } catch (ArithmeticException e) {
            throw new DamoException("size-overflow", "the temporaries of program "
                    + Edn.write(p.name())
                    + " need more bytes than 64 bits count");
        }
    }
}
