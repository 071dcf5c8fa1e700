package damo.program;

import damo.tensor.DType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Reads the steps in order, and follows what they write: buffers' kinds and dtypes, aliasing, and
 * that what is read of a temporary or an output was written by an earlier step.
 */
final class StepReader {
    private static final Set<String> KERNEL_KEYS = Set.of("do", "kernel", "args");
    private static final Set<String> HOST_KEYS = Set.of("do", "op", "attrs", "ins", "out", "note");
    private static final Set<String> COUNT_KEYS = Set.of("do", "dim", "buffer", "note");
    private static final Set<String> GEMM_KEYS = Set.of("do", "dtype", "m", "n", "k", "alpha",
            "beta", "a", "b", "c", "batch");

    private final List<Program.Buffer> buffers;
    private final List<Kernel> kernels;
    private final BiConsumer<String, Where> dims;
    private final int notes;
    /** Counted dimensions, in order, that no step has bound yet. */
    private final Deque<String> pending = new ArrayDeque<>();
    private final boolean[] writable;
    private final boolean[] defined;

    StepReader(List<Program.Buffer> buffers, List<Kernel> kernels, List<Program.Port> state,
               List<Program.Counted> counted, int notes, BiConsumer<String, Where> dims) {
        this.buffers = buffers;
        this.kernels = kernels;
        this.dims = dims;
        this.notes = notes;
        counted.forEach(c -> pending.add(c.dim()));
        this.writable = new boolean[buffers.size()];
        this.defined = new boolean[buffers.size()];
        for (int id = 0; id < writable.length; id++) {
            Program.Kind kind = buffers.get(id).kind();
            writable[id] = kind == Program.Kind.TEMP || kind == Program.Kind.OUTPUT;
            defined[id] = !writable[id];
        }
        for (Program.Port p : state) {
            writable[p.buffer()] = p.written();
        }
    }

    /** All steps; refuses an output that none of them writes. */
    List<Program.Step> read(List<?> forms) {
        List<Program.Step> steps = new ArrayList<>();
        for (Object form : forms) {
            steps.add(step(form, Where.of("step " + steps.size())));
        }
        for (int id = 0; id < defined.length; id++) {
            if (!defined[id] && buffers.get(id).kind() == Program.Kind.OUTPUT) {
                throw Where.of("buffer " + id).bad("no step writes this output");
            }
        }
        if (!pending.isEmpty()) {
            throw Where.of("entry of :counted").bad("no :count step binds " + pending);
        }
        return List.copyOf(steps);
    }

    private Program.Step step(Object form, Where where) {
        Object what = form instanceof Map<?, ?> m ? m.get(new Edn.Keyword("do")) : null;
        if (new Edn.Keyword("kernel").equals(what)) {
            return kernel(new Fields(form, where, KERNEL_KEYS), where);
        }
        if (new Edn.Keyword("gemm").equals(what)) {
            return gemm(new Fields(form, where, GEMM_KEYS), where);
        }
        if (new Edn.Keyword("count").equals(what)) {
            return count(new Fields(form, where, COUNT_KEYS), where);
        }
        if (new Edn.Keyword("host").equals(what)) {
            return host(new Fields(form, where, HOST_KEYS), where);
        }
        throw where.expected("a step, {:do :kernel …}, {:do :gemm …}, {:do :count …} or"
                + " {:do :host …}", form);
    }

    private Program.Step count(Fields f, Where where) {
        if (!(f.required("dim") instanceof Edn.Symbol s)) {
            throw where.expected(":dim to be a symbol", f.required("dim"));
        }
        if (!s.name().equals(pending.peek())) {
            throw where.bad(":dim is " + s.name() + ", expected " + (pending.isEmpty()
                    ? "no more :count steps" : pending.peek() + ", the next of :counted"));
        }
        int id = buffer(f, ":buffer", DType.I64, where);
        checkDefined(id, ":buffer, buffer " + id + ",", where);
        pending.remove();
        return new Program.Count(s.name(), id, f.id("note", notes));
    }

    private void checkCounted(Set<String> mentioned, Where where) {
        for (String dim : pending) {
            if (mentioned.contains(dim)) {
                throw where.bad("mentions the dimension " + dim
                        + ", which a later :count step binds");
            }
        }
    }

    private Program.Step kernel(Fields f, Where where) {
        int id = f.id("kernel", kernels.size());
        checkCounted(Mentions.of(kernels.get(id)), where);
        List<Kernel.Param> params = kernels.get(id).params();
        List<?> forms = f.list("args");
        if (forms.size() != params.size()) {
            throw where.bad("kernel " + id + " has " + params.size() + " parameters, found "
                    + forms.size() + " arguments");
        }
        List<Integer> args = new ArrayList<>();
        for (Object form : forms) {
            int arg = Fields.id(form, buffers.size(), "a buffer's id", where);
            checkArgument(arg, args.size(), params.get(args.size()), where);
            args.add(arg);
        }
        Set<Integer> different = new HashSet<>(args);
        if (different.size() != args.size()) {
            throw where.bad("the arguments of a kernel are all different buffers, found " + args);
        }
        for (int i = 0; i < args.size(); i++) {
            defined[args.get(i)] |= params.get(i).access() != Kernel.Access.IN;
        }
        return new Program.RunKernel(id, List.copyOf(args));
    }

    private void checkArgument(int arg, int position, Kernel.Param param, Where where) {
        String what = "argument " + position + ", buffer " + arg + ",";
        DType dtype = buffers.get(arg).dtype();
        if (dtype != param.dtype()) {
            throw where.bad(what + " is of :" + dtype.label() + ", the parameter of :"
                    + param.dtype().label());
        }
        if (param.access() == Kernel.Access.IN) {
            checkDefined(arg, what, where);
        } else {
            checkWritable(arg, what, where);
        }
    }

    private void checkDefined(int id, String what, Where where) {
        if (!defined[id]) {
            throw where.bad(what + " is read before any step has written it");
        }
    }

    private void checkWritable(int id, String what, Where where) {
        if (!writable[id]) {
            String kind = buffers.get(id).kind().name().toLowerCase(Locale.ROOT);
            throw where.bad(what + " is written, but it is " + (kind.equals("state")
                    ? "a state without :written true" : "of kind :" + kind));
        }
    }

    private Program.Step host(Fields f, Where where) {
        Object attrs = f.optional("attrs");
        if (attrs != null && !(attrs instanceof Map<?, ?>)) {
            throw where.expected(":attrs to be a map", attrs);
        }
        List<Program.HostArg> ins = new ArrayList<>();
        for (Object form : f.list("ins")) {
            Program.HostArg in = hostArg(form, where);
            checkDefined(in.buffer(), "input " + ins.size() + ", buffer " + in.buffer() + ",",
                    where);
            ins.add(in);
        }
        Program.HostArg out = hostArg(f.required("out"), where);
        checkWritable(out.buffer(), "the output, buffer " + out.buffer() + ",", where);
        if (ins.stream().anyMatch(in -> in.buffer() == out.buffer())) {
            throw where.bad("the output shares buffer " + out.buffer() + " with an input");
        }
        defined[out.buffer()] = true;
        Program.RunHost step = new Program.RunHost(Fields.opName(f.required("op"), where),
                attrs == null ? Map.of() : (Map<?, ?>) attrs, List.copyOf(ins), out,
                f.id("note", notes));
        checkCounted(Mentions.of(step), where);
        return step;
    }

    private Program.HostArg hostArg(Object form, Where where) {
        Fields f = new Fields(form, where, Set.of("buffer", "shape"));
        List<Size> shape = new ArrayList<>();
        for (Object extent : f.list("shape")) {
            shape.add(size(extent, where));
        }
        return new Program.HostArg(f.id("buffer", buffers.size()), List.copyOf(shape));
    }

    private Program.Step gemm(Fields f, Where where) {
        DType dtype = f.dtype("dtype");
        if (!dtype.floating() || dtype.storage()) {
            throw where.bad("a :gemm is of :f32 or :f64, found :" + dtype.label());
        }
        Program.Operand a = operand(f.required("a"), "a", dtype, where);
        Program.Operand b = operand(f.required("b"), "b", dtype, where);
        Program.Operand c = operand(f.required("c"), "c", dtype, where);
        Program.Scale alpha = scale(f.required("alpha"), "alpha", dtype, where);
        Program.Scale beta = scale(f.required("beta"), "beta", dtype, where);
        checkDefined(a.buffer(), "operand :a, buffer " + a.buffer() + ",", where);
        checkDefined(b.buffer(), "operand :b, buffer " + b.buffer() + ",", where);
        checkWritable(c.buffer(), "operand :c, buffer " + c.buffer() + ",", where);
        if (beta.buffer() >= 0 || beta.value() != 0) {
            checkDefined(c.buffer(), "operand :c, buffer " + c.buffer() + ", with :beta not 0,",
                    where);
        }
        for (int other : new int[] {a.buffer(), b.buffer(), alpha.buffer(), beta.buffer()}) {
            if (other == c.buffer()) {
                throw where.bad("operand :c shares buffer " + other + " with another operand");
            }
        }
        defined[c.buffer()] = true;
        List<Program.Batch> batch = new ArrayList<>();
        for (Object form : f.optionalList("batch")) {
            Fields g = new Fields(form, where, Set.of("extent", "a", "b", "c"));
            batch.add(new Program.Batch(size(g, "extent", where), size(g, "a", where),
                    size(g, "b", where), size(g, "c", where)));
        }
        Program.Gemm gemm = new Program.Gemm(dtype, size(f, "m", where), size(f, "n", where),
                size(f, "k", where), alpha, beta, a, b, c, List.copyOf(batch));
        checkCounted(Mentions.of(gemm), where);
        return gemm;
    }

    private Size size(Fields f, String key, Where where) {
        return size(f.required(key), where);
    }

    private Size size(Object form, Where where) {
        return Sizes.parse(form, n -> dims.accept(n, where), false, where);
    }

    private Program.Operand operand(Object form, String name, DType dtype, Where where) {
        Fields f = new Fields(form, where, Set.of("buffer", "offset", "strides"));
        int id = buffer(f, ":" + name, dtype, where);
        List<?> strides = f.list("strides");
        if (strides.size() != 2) {
            throw where.expected("two :strides of :" + name, strides);
        }
        return new Program.Operand(id, size(f, "offset", where), size(strides.get(0), where),
                size(strides.get(1), where));
    }

    private Program.Scale scale(Object form, String name, DType dtype, Where where) {
        if (form instanceof Number) {
            return new Program.Scale(Literals.floating(dtype, form, where), -1);
        }
        int id = buffer(new Fields(form, where, Set.of("buffer")), ":" + name, dtype, where);
        checkDefined(id, ":" + name + ", buffer " + id + ",", where);
        return new Program.Scale(0, id);
    }

    private int buffer(Fields f, String name, DType dtype, Where where) {
        int id = f.id("buffer", buffers.size());
        if (buffers.get(id).dtype() != dtype) {
            throw where.bad(name + ", buffer " + id + ", is of :" + buffers.get(id).dtype().label()
                    + ", expected :" + dtype.label());
        }
        return id;
    }
}
