package damo.program;

import damo.edn.Edn;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * One entry of the sequence that a call runs. A step says itself what it touches and what it holds,
 * so that whatever walks steps does it the same way for all kinds; only reading, checking and
 * translating them know kinds. Steps are numbered in preorder: a step before those that it holds.
 */
public sealed interface Step permits Step.RunKernel, Step.Gemm, Step.Count, Step.RunHost, Step.Call,
        Step.Block, Loop, Branch {
    /** What it does, for people: {@code "kernel  add-tanh"}. Its memory is told by accesses. */
    String text();

    /** How it uses memory, apart from the steps that it holds, and before any of them runs. */
    List<Access> accesses();

    /** How it uses memory each time when the steps that it holds have run. */
    default List<Access> closing() {
        return List.of();
    }

    /** The lists of steps that it holds, in the order of their numbers. */
    default List<List<Step>> lists() {
        return List.of();
    }

    /** The steps that it holds, in order. */
    default List<Step> inner() {
        List<List<Step>> lists = lists();
        return lists.size() == 1 ? lists.get(0)
                : lists.stream().flatMap(List::stream).toList();
    }

    /** The dimensions that steps of its lists count, apart from those of lists inside these. */
    default List<Program.Counted> counts() {
        return List.of();
    }

    /** The dimension that is the number of the round in the steps that it holds; null for none. */
    default String turn() {
        return null;
    }

    /** The sizes that a call works out for it, apart from those of kernels. */
    default List<Size> sizes() {
        return List.of();
    }

    /** The names of dimensions in it. */
    default Set<String> mentions() {
        Set<String> names = new HashSet<>();
        sizes().forEach(size -> Sizes.names(size, names));
        return names;
    }

    /** The note with which native code reports that it failed; -1 when it cannot, or by kernels. */
    default int reports() {
        return -1;
    }

    /** Who reports with that note, for messages: the name of a routine; null for ourselves. */
    default String reporter() {
        return null;
    }

    /** Whether it may end the call, apart from the steps that it holds. */
    default boolean fails() {
        return reports() >= 0;
    }

    /** The library that it calls: {@code "blas"}; null for none. */
    default String library() {
        return null;
    }

    /** All steps of a list, in preorder: the position of each is its number. */
    static List<Step> preorder(List<Step> steps) {
        if (steps.stream().allMatch(step -> step.inner().isEmpty())) {
            return steps;
        }
        List<Step> all = new ArrayList<>();
        for (Step step : steps) {
            all.add(step);
            all.addAll(preorder(step.inner()));
        }
        return all;
    }

    /** Runs kernel number {@code number}, which is {@code kernel}, on these buffers. */
    record RunKernel(int number, Kernel kernel, List<Window> args, List<Access> accesses)
            implements Step {
        /** The same; its accesses are those of the kernel. */
        public RunKernel(int number, Kernel kernel, List<Window> args) {
            this(number, kernel, args, accesses(kernel, args));
        }

        @Override
        public String text() {
            return "kernel  " + kernel.name();
        }

        private static List<Access> accesses(Kernel kernel, List<Window> args) {
            List<Access> all = new ArrayList<>();
            for (int i = 0; i < args.size(); i++) {
                all.add(args.get(i).access("argument " + i,
                        switch (kernel.params().get(i).access()) {
                            case IN -> Access.Mode.READ;
                            case OUT -> Access.Mode.WRITE;
                            case INOUT -> Access.Mode.MIXED;
                        }));
            }
            return List.copyOf(all);
        }

        @Override
        public List<Size> sizes() {
            return args.stream().flatMap(arg -> arg.sizes().stream()).toList();
        }

        @Override
        public Set<String> mentions() {
            Set<String> names = Step.super.mentions();
            names.addAll(Mentions.of(kernel));
            return names;
        }

        @Override
        public boolean fails() {
            return kernel.fails();
        }
    }

    /** C = alpha A B + beta C, repeated over {@code batch}. */
    record Gemm(DType dtype, Size m, Size n, Size k, Scale alpha, Scale beta,
                Operand a, Operand b, Operand c, List<Batch> batch, List<Access> accesses)
            implements Step {
        /** What sums may be of. */
        static final Set<DType> DTYPES = Set.of(DType.F32, DType.F64, DType.I32, DType.I64);
        private static final Set<DType> SMALL = Set.of(DType.I8, DType.U8, DType.I16);

        /** Whether elements of A and B may be of that dtype, and are made one of the other. */
        static boolean widens(DType dtype, DType from) {
            return switch (dtype) {
                case F32 -> from.storage();
                case I32 -> SMALL.contains(from);
                case I64 -> SMALL.contains(from) || from == DType.I32;
                default -> false;
            };
        }

        /** The same; its accesses follow from the rest. */
        public Gemm(DType dtype, Size m, Size n, Size k, Scale alpha, Scale beta,
                    Operand a, Operand b, Operand c, List<Batch> batch) {
            this(dtype, m, n, k, alpha, beta, a, b, c, batch, Stream.of(
                    Stream.of(a.access("a", Access.Mode.READ, m, k, batch, Batch::a),
                            b.access("b", Access.Mode.READ, k, n, batch, Batch::b)),
                    alpha.access("alpha"), beta.access("beta"),
                    Stream.of(beta.zero() ? c.access("c", Access.Mode.WRITE, m, n, batch, Batch::c)
                            : c.access("c (:beta is not 0)", Access.Mode.UPDATE, m, n, batch,
                                    Batch::c))).flatMap(s -> s).toList());
        }

        /** Whether A and B are of its dtype; else some elements are widened where they are read. */
        public boolean plain() {
            return a.dtype == dtype && b.dtype == dtype;
        }

        @Override
        public String text() {
            return "product [" + Sizes.show(m) + " " + Sizes.show(k) + "] x [" + Sizes.show(k)
                    + " " + Sizes.show(n) + "]";
        }

        @Override
        public List<Size> sizes() {
            List<Size> all = new ArrayList<>(List.of(m, n, k));
            for (Operand o : List.of(a, b, c)) {
                all.addAll(List.of(o.offset, o.rowStride, o.colStride));
            }
            batch.forEach(l -> all.addAll(List.of(l.extent, l.a, l.b, l.c)));
            return all;
        }

        @Override
        public String library() {
            return "blas";
        }
    }

    /**
     * A factor: the number {@code value}, or element 0 of {@code buffer} when that is not negative.
     */
    record Scale(double value, int buffer) {
        /** Whether it is the number 0. */
        public boolean zero() {
            return buffer < 0 && value == 0;
        }

        /** Its use of memory, if any. */
        Stream<Access> access(String name) {
            return buffer < 0 ? Stream.of() : Stream.of(new Access(":" + name, buffer,
                    Access.Mode.READ, Access.Region.ELEMENT));
        }
    }

    /** A matrix inside a buffer of that dtype; offset and strides in elements. */
    record Operand(DType dtype, int buffer, Size offset, Size rowStride, Size colStride) {
        /** Its use of memory, with those extents, and repeated with those strides. */
        Access access(String name, Access.Mode mode, Size rows, Size cols, List<Batch> batch,
                      Function<Batch, Size> stride) {
            List<Access.Axis> axes = new ArrayList<>();
            axes.add(new Access.Axis(rows, rowStride));
            axes.add(new Access.Axis(cols, colStride));
            batch.forEach(l -> axes.add(new Access.Axis(l.extent, stride.apply(l))));
            return new Access("operand :" + name, buffer, mode,
                    new Access.Region(offset, List.copyOf(axes)));
        }
    }

    /** One loop around a matrix product, with the strides of its operands. */
    record Batch(Size extent, Size a, Size b, Size c) { }

    /** Element 0 of {@code buffer} becomes the value of the counted dimension. */
    record Count(String dim, int buffer, int note) implements Step {
        @Override
        public String text() {
            return "count   " + dim;
        }

        @Override
        public List<Access> accesses() {
            return List.of(new Access(":buffer", buffer, Access.Mode.READ, Access.Region.ELEMENT));
        }

        @Override
        public int reports() {
            return note;
        }
    }

    /**
     * Runs the kernel that the application gives for the op {@code op}: reads {@code ins}, writes
     * {@code out}; {@code attrs} is a map of EDN values, {@code sized} one of such that hold sizes.
     * Note number {@code note} says what it is.
     */
    record RunHost(String op, Map<?, ?> attrs, Map<?, ?> sized, List<HostArg> ins, HostArg out,
                   int note) implements Step {
        @Override
        public String text() {
            return "host    " + op + ", a kernel of the application";
        }

        /** The inputs, then the output. */
        public List<HostArg> all() {
            List<HostArg> all = new ArrayList<>(ins);
            all.add(out);
            return all;
        }

        @Override
        public List<Access> accesses() {
            List<Access> all = new ArrayList<>();
            ins.forEach(in -> all.add(in.access("input " + all.size(), Access.Mode.READ)));
            all.add(out.access("the output", Access.Mode.WRITE));
            return all;
        }

        @Override
        public List<Size> sizes() {
            return all().stream().flatMap(arg -> Stream.concat(arg.shape.stream(),
                    arg.window.sizes().stream())).toList();
        }

        @Override
        public Set<String> mentions() {
            Set<String> names = Step.super.mentions();
            symbols(sized, names);
            return names;
        }

        private static void symbols(Object form, Set<String> names) {
            switch (form) {
                case Edn.Symbol s -> names.add(s.name());
                case Map<?, ?> map -> map.values().forEach(value -> symbols(value, names));
                case List<?> list -> list.forEach(part -> symbols(part, names));
                case null, default -> { }
            }
        }

        @Override
        public boolean fails() {
            return true;
        }
    }

    /** A dense array at the beginning of a buffer or a window, as such a kernel sees it. */
    record HostArg(Window window, List<Size> shape) {
        /** The buffer. */
        public int buffer() {
            return window.buffer();
        }

        /** The use of all of it. */
        Access access(String what, Access.Mode mode) {
            return new Access(what, buffer(), mode,
                    Access.Region.dense(window.offset(), shape));
        }
    }

    /** Calls a routine of a library; fails with the note when that reports a failure. */
    record Call(Routine routine, CallArguments args, int note, List<Access> accesses)
            implements Step {
        /** The same; its accesses are those of the routine. */
        public Call(Routine routine, CallArguments args, int note) {
            this(routine, args, note, args.accesses(routine));
        }

        @Override
        public String text() {
            return "call    " + routine.name();
        }

        @Override
        public List<Size> sizes() {
            return args.all();
        }

        @Override
        public int reports() {
            return routine.reports() ? note : -1;
        }

        @Override
        public String reporter() {
            return routine.name();
        }

        @Override
        public String library() {
            return routine.library();
        }
    }

    /** Several steps that run one after the other. */
    record Block(List<Step> steps) implements Step {
        @Override
        public String text() {
            return "block";
        }

        @Override
        public List<List<Step>> lists() {
            return List.of(steps);
        }

        @Override
        public List<Access> accesses() {
            return List.of();
        }
    }
}
