package damo.program;

import damo.edn.Edn;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The grammar of each kind of step, apart from what others have written. */
final class StepForms {
    private static final Set<String> KERNEL_KEYS = Set.of("do", "kernel", "args");
    private static final Set<String> HOST_KEYS = Set.of("do", "op", "attrs", "sizes", "ins",
            "out", "note");
    private static final Set<String> COUNT_KEYS = Set.of("do", "dim", "buffer", "note");
    private static final Set<String> GEMM_KEYS = Set.of("do", "dtype", "m", "n", "k", "alpha",
            "beta", "a", "b", "c", "batch");
    private static final Set<String> CALL_KEYS = Set.of("do", "routine", "args", "note");
    private static final Set<String> BLOCK_KEYS = Set.of("do", "steps");
    private static final Set<String> LOOP_KEYS = Set.of("do", "var", "extent", "until", "unless",
            "count", "counted", "steps", "note");
    private static final Set<String> BRANCH_KEYS = Set.of("do", "test", "cases", "counted",
            "note");

    private final StepParts parts;
    private final List<Kernel> kernels;
    private final int notes;
    private final Lists inner;

    /** Reads the lists of steps that a step holds. */
    interface Lists {
        /** A list whose steps count what the list around it says. */
        List<Step> within(List<?> forms, Where where);

        /**
         * A list of its own: {@code turn} is the number of a round in it, null where there are
         * none, and its steps count these dimensions, {@code all} of them or some.
         */
        List<Step> apart(List<?> forms, String turn, List<Program.Counted> counted, boolean all,
                         Where where);
    }

    /** {@code inner} reads the steps that a step holds; there are so many notes. */
    StepForms(StepParts parts, List<Kernel> kernels, int notes, Lists inner) {
        this.parts = parts;
        this.kernels = kernels;
        this.notes = notes;
        this.inner = inner;
    }

    /** The step that the form stands for, read by itself; throws through {@code where}. */
    Step read(Object form, Where where) {
        Object what = form instanceof Map<?, ?> m ? m.get(new Edn.Keyword("do")) : null;
        return switch (what instanceof Edn.Keyword k ? k.name() : "") {
            case "kernel" -> kernel(new Fields(form, where, KERNEL_KEYS), where);
            case "gemm" -> gemm(new Fields(form, where, GEMM_KEYS), where);
            case "count" -> count(new Fields(form, where, COUNT_KEYS), where);
            case "host" -> host(new Fields(form, where, HOST_KEYS), where);
            case "call" -> call(new Fields(form, where, CALL_KEYS), where);
            case "block" -> new Step.Block(inner.within(new Fields(form, where, BLOCK_KEYS)
                    .list("steps"), where));
            case "loop" -> loop(new Fields(form, where, LOOP_KEYS), where);
            case "branch" -> branch(new Fields(form, where, BRANCH_KEYS), where);
            default -> throw where.expected("a step, {:do :kernel …}, {:do :gemm …}, {:do :count …}"
                    + ", {:do :host …}, {:do :call …}, {:do :block …}, {:do :loop …} or"
                    + " {:do :branch …}", form);
        };
    }

    private Step call(Fields f, Where where) {
        String name = f.string("routine");
        Routine routine = Routines.of(name);
        if (routine == null) {
            throw where.bad("there is no routine " + Edn.write(name) + "; calls.edn has "
                    + String.join(" ", Routines.all().keySet()));
        }
        int note = routine.reports() || f.optional("note") != null ? f.id("note", notes) : -1;
        return new CallReader(routine, f.required("args"), parts, where).read(note);
    }

    private Step loop(Fields f, Where where) {
        String var = f.symbol("var");
        Size extent = f.optional("extent") == null ? null : parts.size(f, "extent", where);
        int until = truth(f, "until", where);
        if (extent == null && until < 0) {
            throw where.bad("a :loop has :extent, or :until, or both");
        }
        int unless = truth(f, "unless", where);
        String count = f.optional("count") == null ? null : f.symbol("count");
        int note = count == null && f.optional("note") == null ? -1 : f.id("note", notes);
        List<Program.Counted> counted = parts.counted(f.optionalList("counted"), where);
        return new Loop(var, extent, until, unless, count, counted,
                inner.apart(f.list("steps"), var, counted, true, where), note);
    }

    /** The buffer of a truth value, -1 where the key is missing. */
    private int truth(Fields f, String key, Where where) {
        return f.optional(key) == null ? -1 : parts.buffer(f, key, ":" + key, DType.BOOL, where);
    }

    private Step branch(Fields f, Where where) {
        int test = parts.buffer(f, "test", ":test", DType.I64, where);
        List<Program.Counted> counted = parts.counted(f.optionalList("counted"), where);
        if (counted.stream().anyMatch(Program.Counted::same)) {
            throw where.bad(":same is for what the rounds of a :loop count");
        }
        List<List<Step>> cases = new ArrayList<>();
        for (Object form : f.list("cases")) {
            if (!(form instanceof List<?> steps)) {
                throw where.expected(":cases to hold vectors of steps", form);
            }
            cases.add(inner.apart(steps, null, counted, false, where));
        }
        if (cases.isEmpty()) {
            throw where.bad("a :branch has one or more :cases");
        }
        return new Branch(test, List.copyOf(cases), counted, f.id("note", notes));
    }

    private Step count(Fields f, Where where) {
        int id = parts.buffer(f, "buffer", ":buffer", DType.I64, where);
        return new Step.Count(f.symbol("dim"), id, f.id("note", notes));
    }

    private Step kernel(Fields f, Where where) {
        int id = f.id("kernel", kernels.size());
        List<Kernel.Param> params = kernels.get(id).params();
        List<?> forms = f.list("args");
        if (forms.size() != params.size()) {
            throw where.bad("kernel " + id + " has " + params.size() + " parameters, found "
                    + forms.size() + " arguments");
        }
        List<Window> args = new ArrayList<>();
        Set<Window> different = new HashSet<>();
        for (Object form : forms) {
            Window arg = form instanceof Map<?, ?> ? parts.window(new Fields(form, where,
                    Set.of("buffer", "offset", "size")), where)
                    : Window.of(Fields.id(form, parts.buffers().size(),
                            "a buffer's id or a window {:buffer id :offset s :size s}", where));
            checkArgument(arg.buffer(), args.size(), params.get(args.size()), where);
            if (arg.whole() && !different.add(arg)) {
                throw where.bad("the arguments of a kernel are all different buffers, found "
                        + "buffer " + arg.buffer() + " twice");
            }
            args.add(arg);
        }
        return new Step.RunKernel(id, kernels.get(id), List.copyOf(args));
    }

    private void checkArgument(int arg, int position, Kernel.Param param, Where where) {
        String what = "argument " + position + ", buffer " + arg + ",";
        DType dtype = parts.buffers().get(arg).dtype();
        if (dtype != param.dtype()) {
            throw where.bad(what + " is of :" + dtype.label() + ", the parameter of :"
                    + param.dtype().label());
        }
    }

    private Step host(Fields f, Where where) {
        Map<?, ?> attrs = attributes(f, "attrs", where);
        Map<?, ?> sized = attributes(f, "sizes", where);
        for (Object key : sized.keySet()) {
            if (attrs.containsKey(key)) {
                throw where.bad(key + " stands in :attrs and in :sizes");
            }
        }
        sized.values().forEach(form -> checkSizes(form, where));
        List<Step.HostArg> ins = new ArrayList<>();
        for (Object form : f.list("ins")) {
            ins.add(hostArg(form, where));
        }
        return new Step.RunHost(Fields.opName(f.required("op"), where),
                attrs, sized, List.copyOf(ins), hostArg(f.required("out"), where),
                f.id("note", notes));
    }

    private static Map<?, ?> attributes(Fields f, String key, Where where) {
        return switch (f.optional(key)) {
            case null -> Map.of();
            case Map<?, ?> map -> map;
            case Object other -> throw where.expected(":" + key + " to be a map", other);
        };
    }

    /** An attribute that holds sizes: one, an integer or nil, or a vector of such. */
    private void checkSizes(Object form, Where where) {
        boolean call = form instanceof List<?> list && !list.isEmpty()
                && list.get(0) instanceof Edn.Keyword;
        if (form instanceof List<?> list && !call) {
            list.forEach(each -> checkSizes(each, where));
        } else if (form != null && !(form instanceof Long)) {
            parts.size(form, where);
        }
    }

    private Step.HostArg hostArg(Object form, Where where) {
        Fields f = new Fields(form, where, Set.of("buffer", "offset", "size", "shape"));
        List<Size> shape = new ArrayList<>();
        for (Object extent : f.list("shape")) {
            shape.add(parts.size(extent, where));
        }
        return new Step.HostArg(parts.window(f, where), List.copyOf(shape));
    }

    private Step gemm(Fields f, Where where) {
        DType dtype = f.dtype("dtype");
        if (!Step.Gemm.DTYPES.contains(dtype)) {
            throw where.bad("a :gemm is of :f32, :f64, :i32 or :i64, found :" + dtype.label());
        }
        Step.Operand a = operand(f.required("a"), "a", dtype, where);
        Step.Operand b = operand(f.required("b"), "b", dtype, where);
        Step.Operand c = operand(f.required("c"), "c", dtype, where);
        Step.Scale alpha = parts.scale(f.required("alpha"), "alpha", dtype, where);
        Step.Scale beta = parts.scale(f.required("beta"), "beta", dtype, where);
        List<Step.Batch> batch = new ArrayList<>();
        for (Object form : f.optionalList("batch")) {
            Fields g = new Fields(form, where, Set.of("extent", "a", "b", "c"));
            batch.add(new Step.Batch(parts.size(g, "extent", where), parts.size(g, "a", where),
                    parts.size(g, "b", where), parts.size(g, "c", where)));
        }
        return new Step.Gemm(dtype, parts.size(f, "m", where), parts.size(f, "n", where),
                parts.size(f, "k", where), alpha, beta, a, b, c, List.copyOf(batch));
    }

    private Step.Operand operand(Object form, String name, DType dtype, Where where) {
        Fields f = new Fields(form, where, Set.of("buffer", "offset", "strides"));
        DType found = parts.dtype(f, "buffer");
        boolean widened = Step.Gemm.widens(dtype, found) && !name.equals("c");
        int id = parts.buffer(f, "buffer", ":" + name, widened ? found : dtype, where);
        List<?> strides = f.list("strides");
        if (strides.size() != 2) {
            throw where.expected("two :strides of :" + name, strides);
        }
        return new Step.Operand(widened ? found : dtype, id, parts.size(f, "offset", where),
                parts.size(strides.get(0), where), parts.size(strides.get(1), where));
    }
}
