package damo.codegen;

import damo.program.Access;
import damo.program.Kernel;
import damo.program.Loop;
import damo.program.Program;
import damo.program.Size;
import damo.program.Step;
import damo.tensor.DType;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * A loop with all that it holds as one function, in a text of its own that LLVM optimises: small
 * kernels become parts of it, small temporaries of its own lie in registers or on the stack, and
 * buffers are told apart, so that what does not change from round to round stays where it is.
 *
 * <p>A loop of very many steps calls functions for the lists in it, as the call itself does.
 */
final class LoopFunction implements StepWriter.Place {
    /** A loop that holds more steps than this is no single function: LLVM takes 0.1 s for it. */
    private static final int MANY = 192;
    /** Kernels of so many instructions become parts of the function; those that loop, of fewer. */
    static final long SMALL = 300;
    private static final long SMALL_LOOPS = 40;
    /** Together not more than so many, each as often as it is called. */
    private static final long MOST = 3000;
    /** Bytes of a temporary on the stack, and of all of them. */
    private static final long SLOT = 512;
    private static final long SLOTS = 1 << 13;

    private final CallParts parts;
    private final CallWriter lists;
    private final Outside outside;
    private final boolean whole;
    private final Lines lines = new Lines();
    private final Map<Integer, String> buffers = new LinkedHashMap<>();
    private final List<String> parameters = new ArrayList<>();
    private final List<Integer> arguments = new ArrayList<>();
    /** Kernels by the names of their functions: those that are parts, and those that are called. */
    private final Map<String, String> kernels = new LinkedHashMap<>();
    private final Map<String, Boolean> inlined = new LinkedHashMap<>();
    private long length;

    private LoopFunction(int number, Loop loop, CallParts parts, CallWriter lists,
                         Outside outside) {
        this.parts = parts;
        this.lists = lists;
        this.outside = outside;
        List<Step> steps = Step.preorder(List.of(loop));
        this.whole = steps.size() <= MANY;
        place(number, steps);
    }

    /**
     * Writes the function of a loop, step number {@code number}, and appends its call to what
     * {@code caller} writes. {@code lists} writes functions for lists of steps.
     */
    static void write(int number, Loop loop, CallParts parts, CallWriter lists, Outside callers,
                      Products products, StepWriter caller) {
        Outside outside = callers.another();
        LoopFunction f = new LoopFunction(number, loop, parts, lists, outside);
        StepWriter writer = new StepWriter(parts, outside, products.in(outside, f::take), f.lines,
                f);
        f.rounds(number, loop, writer);
        f.lines.add("ret i32 0");
        String name = parts.nextName("damo_loop");
        String types = "hidden i32 @" + name + "(ptr, ptr, ptr" + ", ptr".repeat(
                f.arguments.size()) + ")";
        callers.inside(name, types);
        parts.loops.add(f.text(name));
        f.call(name, caller.lines());
    }

    private void call(String name, Lines caller) {
        StringBuilder args = new StringBuilder("ptr %buffers, ptr %dims, ptr %failure");
        for (int id : arguments) {
            args.append(", ptr ").append(lists.buffer(id, caller));
        }
        caller.returnUnlessZero(caller.value("call i32 @", name, "(", args.toString(), ")"));
    }

    private String text(String name) {
        StringBuilder text = new StringBuilder(outside.declarations()).append('\n');
        kernels.values().forEach(kernel -> text.append(kernel).append('\n'));
        text.append(parts.kernels.callees(String.join("", kernels.values())));
        String all = String.join(", ", parameters);
        return text.append("define hidden i32 @").append(name)
                .append("(ptr %buffers, ptr %dims, ptr %failure").append(all.isEmpty() ? "" : ", ")
                .append(all).append(") #0 {\n").append(lines.text()).append("}\n").toString();
    }

    // ## Where buffers are

    /**
     * What each buffer is in the function: a parameter, or memory of its own. No other buffer of
     * the loop lies in the memory of a parameter, but for temporaries that do not live all over the
     * loop, which may share theirs, and for what other functions reach by the table.
     */
    private void place(int number, List<Step> steps) {
        int end = number + steps.size() - 1;
        BitSet shared = new BitSet();
        BitSet all = new BitSet();
        for (Step step : steps) {
            for (List<Access> accesses : List.of(step.accesses(), step.closing())) {
                for (Access a : accesses) {
                    all.set(a.buffer());
                    shared.set(a.buffer(), shared.get(a.buffer()) || !whole
                            || step instanceof Step.RunHost);
                }
            }
        }
        long room = SLOTS;
        for (int id = all.nextSetBit(0); id >= 0; id = all.nextSetBit(id + 1)) {
            long bytes = bytes(id);
            boolean own = !shared.get(id) && bytes <= Math.min(SLOT, room)
                    && parts.lives.first(id) >= number && parts.lives.last(id) <= end;
            if (own) {
                room -= bytes;
                slot(id, bytes);
            } else {
                boolean apart = !shared.get(id) && (kind(id) != Program.Kind.TEMP
                        || parts.lives.first(id) <= number && parts.lives.last(id) >= end);
                parameters.add("ptr " + (apart ? "noalias " : "") + "%b" + id);
                arguments.add(id);
                buffers.put(id, "%b" + id);
            }
        }
    }

    private Program.Kind kind(int id) {
        return parts.program.buffers().get(id).kind();
    }

    /** The bytes of a temporary whose size is a number; too many for others. */
    private long bytes(int id) {
        Program.Buffer b = parts.program.buffers().get(id);
        return b.kind() == Program.Kind.TEMP && b.size() instanceof Size.Int n && n.value() <= SLOT
                ? n.value() * b.dtype().bytes() : Long.MAX_VALUE;
    }

    /** A temporary that no other step sees: zeros at first, as memory that is cleared. */
    private void slot(int id, long bytes) {
        DType dtype = parts.program.buffers().get(id).dtype();
        String type = "[" + bytes / dtype.bytes() + " x " + Types.memory(dtype) + "]";
        buffers.put(id, lines.slot("%b" + id, type));
        lines.add("store ", type, " zeroinitializer, ptr %b", Integer.toString(id));
    }

    @Override
    public String buffer(int id, Lines ignored) {
        return buffers.get(id);
    }

    // ## What stands in it

    private void rounds(int number, Loop loop, StepWriter writer) {
        writer.rounds(number, loop, !whole || tabled(loop), () -> list(loop.steps(), writer));
    }

    /** Whether someone outside of the function looks at the number of the round. */
    private static boolean tabled(Loop loop) {
        return Step.preorder(loop.steps()).stream().anyMatch(Step.RunHost.class::isInstance);
    }

    @Override
    public void list(List<Step> steps, StepWriter writer) {
        if (!whole) {
            lists.list(steps, writer, outside);
            return;
        }
        for (Step step : steps) {
            writer.write(parts.nextNumber(), step);
        }
    }

    @Override
    public void loop(int number, Loop loop, StepWriter writer) {
        rounds(number, loop, writer);
    }

    @Override
    public boolean inlines(int kernel) {
        String name = parts.kernels.name(kernel);
        boolean part = inlined.computeIfAbsent(name, n -> small(kernel));
        if (part) {
            length += parts.kernels.length(kernel);
            kernels.computeIfAbsent(name, n -> parts.kernels.part(kernel));
        }
        return part;
    }

    /** Has a function as a part unless that makes it too long. */
    private boolean take(String name, long own, Supplier<String> text) {
        if (length + own > MOST) {
            return false;
        }
        length += own;
        kernels.computeIfAbsent(name, n -> text.get());
        return true;
    }

    private boolean small(int kernel) {
        long own = parts.kernels.length(kernel);
        boolean loops = parts.program.kernels().get(kernel).body().stream()
                .anyMatch(Kernel.For.class::isInstance);
        return own <= (loops ? SMALL_LOOPS : SMALL) && length + own <= MOST
                && !parts.kernels.large(kernel);
    }
}
