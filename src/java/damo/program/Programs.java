package damo.program;

import damo.Limits;
import damo.edn.Edn;
import damo.edn.Nesting;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Reads programs: EDN text in, a checked {@link Program} out; docs/program.md is the format. */
public final class Programs {
    private static final int VERSION = 1;
    private static final int MAX_DIMS = Limits.DIMS.most();
    private static final int MAX_BUFFERS = Limits.BUFFERS.most();

    private static final Set<String> KEYS = Set.of("damo/program", "name", "dims", "valued",
            "counted", "requires", "buffers", "inputs", "state", "outputs", "consts", "kernels",
            "steps", "notes");

    private final Set<String> dims = new LinkedHashSet<>();
    private final List<Program.Counted> counted = new ArrayList<>();
    private final Set<String> allDims = new LinkedHashSet<>();
    private DimNames names;

    private Programs() { }

    /**
     * The program that the text describes, with every static check of docs/program.md made. Throws
     * a DamoException of kind "bad-edn" (not EDN: line and column) or "bad-program" (what was
     * expected, what was found, and where: the kernel and statement, the step, the buffer or the
     * port).
     */
    public static Program read(String edn) {
        return Nesting.within(() -> new Programs().program(Edn.read(edn)));
    }

    private Program program(Object form) {
        Where top = Where.of("top level");
        Fields f = new Fields(form, top, KEYS);
        if (!Long.valueOf(VERSION).equals(f.required("damo/program"))) {
            throw top.expected(":damo/program to be version " + VERSION,
                    f.required("damo/program"));
        }
        readDims(f.list("dims"), top);
        readCounted(f.optionalList("counted"));
        names = DimNames.of(dims, counted.stream().map(Program.Counted::dim)
                .collect(Collectors.toSet()), f.list("steps"));
        if (names.all().size() > MAX_DIMS) {
            throw top.bad("more than " + MAX_DIMS + " dimensions");
        }
        List<Program.Buffer> buffers = buffers(f.list("buffers"), f.optionalList("consts"), top);
        PortReader ports = new PortReader(buffers);
        List<Program.Port> inputs = ports.read(f.optionalList("inputs"), Program.Kind.INPUT,
                this::checkBoundDim);
        List<Program.Port> state = ports.read(f.optionalList("state"), Program.Kind.STATE,
                this::checkBoundDim);
        List<Program.Port> outputs = ports.read(f.optionalList("outputs"), Program.Kind.OUTPUT,
                this::checkDim);
        ports.checkAllOwned();
        List<Program.Valued> valued = valued(f.optionalList("valued"), inputs);
        checkDimsBound(valued, inputs, state, top);
        List<Map<String, Object>> notes = notes(f.optionalList("notes"));
        List<Kernel> kernels = new ArrayList<>();
        for (Object k : f.list("kernels")) {
            kernels.add(KernelReader.read(kernels.size(), k, names, notes.size()));
        }
        StepReader reader = new StepReader(buffers, kernels, names, notes.size());
        List<Step> steps = reader.read(f.list("steps"), counted);
        Definitions.check(steps, buffers, state);
        reader.end();
        Program program = new Program(f.string("name"), List.copyOf(dims), valued,
                List.copyOf(counted), requirements(f.optionalList("requires"), notes.size()),
                buffers, inputs, state, outputs,
                List.copyOf(kernels), steps, notes);
        checkPlanned(program);
        return program;
    }

    /** Memory is planned for the largest size that it can have. */
    private static void checkPlanned(Program program) {
        Set<String> open = program.counts().stream().filter(c -> c.max() == null)
                .map(Program.Counted::dim).collect(Collectors.toSet());
        for (int id = 0; id < program.buffers().size() && !open.isEmpty(); id++) {
            Set<String> mentioned = new TreeSet<>();
            Sizes.names(program.buffers().get(id).size(), mentioned);
            mentioned.retainAll(open);
            if (!mentioned.isEmpty()) {
                throw Where.of("buffer " + id).bad("no :max is known of " + mentioned);
            }
        }
    }

    private void readDims(List<?> forms, Where top) {
        if (forms.size() > MAX_DIMS) {
            throw top.bad(forms.size() + " dimensions; at most " + MAX_DIMS + " are read");
        }
        for (Object form : forms) {
            if (!(form instanceof Edn.Symbol s)) {
                throw top.expected(":dims to hold symbols", form);
            }
            if (!dims.add(s.name())) {
                throw top.bad("the dimension " + s.name() + " is listed twice in :dims");
            }
        }
    }

    /** Dimensions in the order in which a call binds them; a maximum mentions earlier ones only. */
    private void readCounted(List<?> forms) {
        allDims.addAll(dims);
        for (Object form : forms) {
            Where where = Where.of("entry " + counted.size() + " of :counted");
            Fields f = new Fields(form, where, Set.of("dim", "max"));
            String dim = f.symbol("dim");
            Size max = f.optional("max") == null ? null
                    : Sizes.parse(f.optional("max"), n -> checkDim(n, where), false, where);
            if (!allDims.add(dim)) {
                throw where.bad("the dimension " + dim + " is listed already");
            }
            counted.add(new Program.Counted(dim, max, false));
        }
    }

    private List<Program.Requirement> requirements(List<?> forms, int notes) {
        List<Program.Requirement> all = new ArrayList<>();
        for (Object form : forms) {
            Where where = Where.of("entry " + all.size() + " of :requires");
            Fields f = new Fields(form, where, Set.of("small", "large", "note"));
            all.add(new Program.Requirement(
                    Sizes.parse(f.required("small"), n -> checkKnown(n, where), false, where),
                    Sizes.parse(f.required("large"), n -> checkKnown(n, where), false, where),
                    f.id("note", notes)));
        }
        return List.copyOf(all);
    }

    private void checkKnown(String name, Where where) {
        if (!dims.contains(name)) {
            throw where.bad("unknown dimension " + name + "; :dims has " + dims);
        }
    }

    private void checkDim(String name, Where where) {
        if (!allDims.contains(name)) {
            throw where.bad("unknown dimension " + name + "; :dims has " + dims);
        }
    }

    /** Memory that a caller brings has a size that is known before the call. */
    private void checkBoundDim(String name, Where where) {
        checkDim(name, where);
        if (!dims.contains(name)) {
            throw where.bad("the dimension " + name
                    + " is counted during a call; only temporaries and outputs may have it");
        }
    }

    private List<Program.Buffer> buffers(List<?> forms, List<?> constForms, Where top) {
        if (forms.size() > MAX_BUFFERS) {
            throw top.bad(forms.size() + " buffers; at most " + MAX_BUFFERS + " are read");
        }
        Map<Integer, List<?>> data = consts(constForms, forms.size());
        List<Program.Buffer> out = new ArrayList<>();
        for (Object form : forms) {
            out.add(buffer(out.size(), form, data.remove(out.size())));
        }
        return List.copyOf(out);
    }

    private static Map<Integer, List<?>> consts(List<?> forms, int buffers) {
        Map<Integer, List<?>> data = new LinkedHashMap<>();
        for (Object form : forms) {
            Where where = Where.of("entry " + data.size() + " of :consts");
            Fields f = new Fields(form, where, Set.of("buffer", "data"));
            int id = f.id("buffer", buffers);
            if (data.put(id, f.list("data")) != null) {
                throw where.bad("buffer " + id + " has data already");
            }
        }
        return data;
    }

    private Program.Buffer buffer(int id, Object form, List<?> data) {
        Where where = Where.of("buffer " + id);
        Fields f = new Fields(form, where, Set.of("dtype", "size", "kind"));
        DType dtype = f.dtype("dtype");
        Program.Kind kind = kind(f.keyword("kind"), where);
        boolean own = kind == Program.Kind.TEMP || kind == Program.Kind.OUTPUT;
        Size size = Sizes.parse(f.required("size"), n -> {
            if (kind == Program.Kind.TEMP && names.counted().contains(n)) {
                return;
            }
            if (own) {
                checkDim(n, where);
            } else {
                checkBoundDim(n, where);
            }
        }, false, where);
        if ((kind == Program.Kind.CONST) != (data != null)) {
            throw where.bad(data == null ? "a :const buffer without data in :consts"
                    : "data in :consts for a buffer that is not :const");
        }
        Object values = data == null ? null : constant(dtype, size, data, where);
        return new Program.Buffer(dtype, size, kind, values);
    }

    private static Program.Kind kind(String name, Where where) {
        for (Program.Kind k : Program.Kind.values()) {
            if (k.name().toLowerCase(Locale.ROOT).equals(name)) {
                return k;
            }
        }
        throw where.bad("expected :kind to be one of :input :state :output :const :temp, found :"
                + name);
    }

    /**
     * The data of a constant, whose size depends on no dimension: it must match what is written.
     */
    private static Object constant(DType dtype, Size size, List<?> data, Where where) {
        long elements;
        try {
            elements = Sizes.evaluate(size, name -> {
                throw where.bad("a :const buffer's size depends on no dimension, found " + name);
            });
        } catch (ArithmeticException e) {
            throw where.bad("size " + Sizes.show(size) + ": " + e.getMessage());
        }
        if (elements != data.size()) {
            throw where.bad("size " + Sizes.show(size) + ", but " + data.size()
                    + " values in :consts");
        }
        return Literals.array(dtype, data, where);
    }

    /** Dimensions that are values of inputs, each of them once. */
    private List<Program.Valued> valued(List<?> forms, List<Program.Port> inputs) {
        Set<String> seen = new HashSet<>();
        List<Program.Valued> all = new ArrayList<>();
        for (Object form : forms) {
            Where where = Where.of("entry " + all.size() + " of :valued");
            Fields f = new Fields(form, where, Set.of("dim", "input"));
            String dim = f.symbol("dim");
            if (!dims.contains(dim) || !seen.add(dim)) {
                throw where.bad(":dim is one of :dims, each of them once, found " + dim);
            }
            String name = f.string("input");
            int input = inputs.stream().map(Program.Port::name).toList().indexOf(name);
            if (input < 0 || !inputs.get(input).shape().isEmpty()
                    || inputs.get(input).dtype().floating()
                    || inputs.get(input).dtype() == DType.BOOL) {
                throw where.bad(":input is an input of one integer, found " + Edn.write(name));
            }
            all.add(new Program.Valued(dim, input));
        }
        return List.copyOf(all);
    }

    private void checkDimsBound(List<Program.Valued> valued, List<Program.Port> inputs,
                                List<Program.Port> state, Where top) {
        Set<String> unbound = new LinkedHashSet<>(dims);
        valued.forEach(v -> unbound.remove(v.dim()));
        for (List<Program.Port> ports : List.of(inputs, state)) {
            for (Program.Port p : ports) {
                p.shape().forEach(s -> unbound.remove(s instanceof Size.Name n ? n.name() : null));
            }
        }
        if (!unbound.isEmpty()) {
            throw top.bad("no input or state has " + unbound
                    + " as an axis, so its value cannot be known");
        }
    }

    private static boolean noted(Object value) {
        return value instanceof String || value instanceof Long || value instanceof Boolean
                || value instanceof List<?> all && all.stream().allMatch(String.class::isInstance);
    }

    private static List<Map<String, Object>> notes(List<?> forms) {
        List<Map<String, Object>> out = new ArrayList<>();
        for (Object form : forms) {
            Where where = Where.of("note " + out.size());
            if (!(form instanceof Map<?, ?> map)) {
                throw where.expected("a map", form);
            }
            Map<String, Object> note = new LinkedHashMap<>();
            map.forEach((key, value) -> {
                if (!(key instanceof Edn.Keyword k) || !noted(value)) {
                    throw where.expected("keywords with strings, vectors of strings, integers or"
                            + " booleans", map);
                }
                note.put(k.name(), value);
            });
            out.add(Collections.unmodifiableMap(note));
        }
        return List.copyOf(out);
    }
}
