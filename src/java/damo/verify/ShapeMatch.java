package damo.verify;

import damo.DamoException;
import damo.edn.Edn;
import damo.program.Program;
import damo.program.Programs;
import damo.program.Size;
import damo.program.Sizes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The shapes of one call matched against a program's ports. */
final class ShapeMatch {
    private static final String ADVICE = "data of the shape that is expected; a symbol in the type"
            + " of an input takes any length";

    private final Program program;
    private final long[][] shapes;
    private final long[] values;
    private final List<Program.Port> ports;
    private final int inputs;

    /** The shapes are those of the inputs, then of the state; values those of {@code :valued}. */
    ShapeMatch(Program program, long[][] shapes, long[] values) {
        this.program = program;
        this.shapes = shapes;
        this.values = values;
        this.inputs = program.inputs().size();
        this.ports = new ArrayList<>(program.inputs());
        ports.addAll(program.state());
    }

    /** The dimensions; see {@link Bindings#dimsOf}. */
    long[] dims() {
        if (shapes.length != ports.size()) {
            throw new DamoException("shape-mismatch", "program " + Edn.write(program.name())
                    + " has " + inputs + " inputs and " + (ports.size() - inputs)
                    + " state variables, given " + shapes.length + " shapes");
        }
        long[] dims = new long[program.dims().size()];
        Arrays.fill(dims, -1);
        if (values.length != program.valued().size()) {
            throw new DamoException("shape-mismatch", "program " + Edn.write(program.name())
                    + " takes the values of " + program.valued().size() + " inputs as dimensions, "
                    + values.length + " are given");
        }
        for (int v = 0; v < values.length; v++) {
            bindValue(program.valued().get(v), values[v], dims);
        }
        for (int i = 0; i < shapes.length; i++) {
            bindNames(i, dims);
        }
        SizeValues sizes = new SizeValues(program.dims(), dims);
        for (int i = 0; i < shapes.length; i++) {
            check(i, sizes);
        }
        return dims;
    }

    private void bindValue(Program.Valued valued, long value, long[] dims) {
        String input = program.inputs().get(valued.input()).name();
        if (value < 0) {
            throw new DamoException("negative-dimension", "in " + program.name() + ": input "
                    + input + " is " + value + ", but its value is the dimension " + valued.dim()
                    + ", which is not negative", Map.of("input", input, "given", value,
                    "dimension", valued.dim(), "function", program.name()));
        }
        dims[program.dims().indexOf(valued.dim())] = value;
    }

    private void bindNames(int port, long[] dims) {
        List<Size> shape = ports.get(port).shape();
        if (shapes[port].length != shape.size()) {
            throw new DamoException("shape-mismatch", title(port) + ": expected " + shape.size()
                    + " axes, given " + shapes[port].length + ", "
                    + Arrays.toString(shapes[port]),
                    Map.of(kind(port), ports.get(port).name(), "expected", show(shape),
                            "given", Arrays.toString(shapes[port]), "try", ADVICE));
        }
        for (int axis = 0; axis < shape.size(); axis++) {
            if (shape.get(axis) instanceof Size.Name n) {
                int d = program.dims().indexOf(n.name());
                dims[d] = dims[d] < 0 ? shapes[port][axis] : dims[d];
            }
        }
    }

    private void check(int port, SizeValues sizes) {
        List<Size> shape = ports.get(port).shape();
        for (int axis = 0; axis < shape.size(); axis++) {
            int a = axis;
            long expected = sizes.of(shape.get(axis), () -> title(port) + ", axis " + a);
            if (expected != shapes[port][axis]) {
                throw mismatch(port, axis, expected, sizes);
            }
        }
    }

    private DamoException mismatch(int port, int axis, long expected, SizeValues sizes) {
        Size size = ports.get(port).shape().get(axis);
        Map<String, Object> data = new LinkedHashMap<>();
        data.put(kind(port), ports.get(port).name());
        data.put("axis", (long) axis);
        data.put("expected", expected);
        data.put("given", shapes[port][axis]);
        data.put("try", ADVICE);
        StringBuilder why = new StringBuilder();
        if (size instanceof Size.Call) {
            why.append(" (").append(sizes.explain(size)).append(')');
        }
        Set<String> names = new TreeSet<>();
        Sizes.names(size, names);
        for (String name : names) {
            String binder = binder(name);
            why.append("; dimension ").append(name).append(" is bound by ").append(binder);
            data.put("dimension", name);
            data.put("bound-by", binder);
        }
        return new DamoException("shape-mismatch", title(port) + ", axis " + axis + ": expected "
                + expected
                + ", given " + shapes[port][axis] + why, data);
    }

    /** The input whose value it is, or the first axis that is the bare name. */
    private String binder(String name) {
        for (int v = 0; v < values.length; v++) {
            if (program.valued().get(v).dim().equals(name)) {
                return called(program.valued().get(v).input()) + ", to its value " + values[v];
            }
        }
        for (int i = 0; i < ports.size(); i++) {
            int axis = ports.get(i).shape().indexOf(new Size.Name(name));
            if (axis >= 0) {
                return called(i) + ", axis " + axis + ", to " + shapes[i][axis];
            }
        }
        throw new AssertionError("Programs.read lets no such dimension pass: " + name);
    }

    /** How a message begins. */
    private String title(int port) {
        return "in " + program.name() + ": " + called(port) + " " + ports.get(port).type();
    }

    private String called(int port) {
        return kind(port) + " " + ports.get(port).name();
    }

    private String kind(int port) {
        return port < inputs ? "input" : "state";
    }

    private static String show(List<Size> shape) {
        return shape.stream().map(Sizes::show).toList().toString();
    }
}
