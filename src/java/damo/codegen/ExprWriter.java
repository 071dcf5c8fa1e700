package damo.codegen;

import damo.program.Instructions;
import damo.program.Kernel;
import damo.tensor.DType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Expressions of one kernel (or one math function) as LLVM values, with what its names stand for.
 */
final class ExprWriter {
    /** Allowed inside a reduction only, whose order and rounding are free: see docs/program.md. */
    static final String REDUCTION_FLAGS = "reassoc contract ";
    private static final String NO_FLAGS = "";
    /** What gives one of its operands, perhaps with another sign. */
    private static final Set<String> CHOICES =
            Set.of("neg", "abs", "maximum", "minimum", "select");

    private final Lines lines;
    private final List<Kernel.Param> params;
    private final MathLibrary library;
    private final Map<String, String> values = new HashMap<>();
    private final Map<String, String> slots = new HashMap<>();
    /** By name the values that are known to be ones of f16 or bf16. */
    private final Map<String, DType> stored = new HashMap<>();
    private final SizeWriter sizes;
    /** The functions whose arguments are known to be near. */
    private Set<Kernel.Apply> near = Set.of();

    ExprWriter(Lines lines, List<Kernel.Param> params, MathLibrary library) {
        this.lines = lines;
        this.params = params;
        this.library = library;
        this.sizes = new SizeWriter(lines, values);
    }

    /** From now on the name stands for this operand. */
    void bind(String name, String operand) {
        values.put(name, operand);
    }

    /** From now on the name stands for the value of an expression. */
    void bind(Kernel.Let let) {
        values.put(let.name(), write(let.value()));
        for (DType t : List.of(DType.F16, DType.BF16)) {
            if (isOf(t, let.value())) {
                stored.put(let.name(), t);
            }
        }
    }

    /** From now on the name is a mutable scalar at this address. */
    void bindSlot(String name, String address) {
        slots.put(name, address);
    }

    /** The address of a mutable scalar. */
    String slot(String name) {
        return slots.get(name);
    }

    /** Appends what gives the value of a name, which is an index variable where t is null. */
    String named(String name, DType t) {
        return t == null ? values.get(name) : ref(new Kernel.Ref(name, t));
    }

    /** How sizes are written. */
    SizeWriter sizes() {
        return sizes;
    }

    /** Appends a size or index expression; returns its i64 operand. */
    String size(damo.program.Size size) {
        return sizes.write(size);
    }

    /** Appends the expression; returns its operand. */
    String write(Kernel.Expr expr) {
        return write(expr, NO_FLAGS);
    }

    /** The same for a term of a reduction: a product may be rounded together with the sum. */
    String term(Kernel.Expr expr) {
        boolean product = expr instanceof Kernel.Apply a && a.op().equals("mul");
        return write(expr, product ? "contract " : NO_FLAGS);
    }

    private String write(Kernel.Expr expr, String flags) {
        return switch (expr) {
            case Kernel.Ref r -> ref(r);
            case Kernel.Const c -> Types.literal(c.dtype(), c.bits());
            case Kernel.Load l -> load(l);
            case Kernel.SizeOf s -> sizes.write(s.size());
            case Kernel.Cast c ->
                    Casts.write(lines, library, c.value().dtype(), c.to(), write(c.value()));
            case Kernel.Native n -> foreign(n);
            case Kernel.Apply a -> apply(a, flags);
        };
    }

    private String ref(Kernel.Ref r) {
        String slot = slots.get(r.name());
        return slot == null ? values.get(r.name())
                : lines.value("load ", Types.value(r.dtype()), ", ptr ", slot);
    }

    private String load(Kernel.Load l) {
        DType t = params.get(l.param()).dtype();
        String type = Types.memory(t);
        String element = lines.value("load ", type, ", ptr ", address(l.param(), l.index()));
        if (t.storage()) {
            return lines.call("float", library.storage(StorageFloats.load(t)), type, element);
        }
        return t == DType.BOOL ? lines.value("icmp ne i8 ", element, ", 0") : element;
    }

    /** Appends what makes a value, as it is computed, an element in memory of dtype t. */
    String element(DType t, Kernel.Expr value) {
        String operand = write(value);
        if (t.storage()) {
            String way = isOf(t, value) ? StorageFloats.cut(t) : StorageFloats.store(t);
            return lines.call(Types.memory(t), library.storage(way), "float", operand);
        }
        return t == DType.BOOL ? lines.value("zext i1 ", operand, " to i8") : operand;
    }

    /** Whether a float is certainly one of f16 or bf16, which need not be rounded again. */
    private boolean isOf(DType t, Kernel.Expr e) {
        return switch (e) {
            case Kernel.Load l -> params.get(l.param()).dtype() == t;
            case Kernel.Cast c -> c.to() == t;
            case Kernel.Ref r -> stored.get(r.name()) == t;
            case Kernel.Apply a -> CHOICES.contains(a.op()) && a.args().stream()
                    .allMatch(x -> x.dtype() == DType.BOOL || isOf(t, x));
            case Kernel.Const c -> t == DType.BF16 && c.dtype() == DType.F32
                    && (Float.floatToIntBits((float) Double.longBitsToDouble(c.bits())) & 0xFFFF)
                    == 0;
            case Kernel.SizeOf s -> false;
            case Kernel.Native n -> false;
        };
    }

    private String foreign(Kernel.Native n) {
        StringBuilder operands = new StringBuilder();
        for (Kernel.Expr arg : n.args()) {
            operands.append(operands.isEmpty() ? "" : ", ").append(Types.value(arg.dtype()))
                    .append(' ').append(write(arg));
        }
        return lines.value("call ", Types.value(n.dtype()), " ", Foreign.symbol(n.op()), "(",
                operands.toString(), ")");
    }

    /** From now on the arguments of these functions, and of no others, are known to be near. */
    void nearby(Set<Kernel.Apply> calls) {
        near = calls;
    }

    /** Appends what gives an i1: whether the arguments of a function are near. */
    String near(Kernel.Apply a) {
        DType t = a.args().getFirst().dtype();
        return lines.call("i1", library.when(NearLoop.function(a), t), Types.value(t), operands(a));
    }

    private String[] operands(Kernel.Apply a) {
        return a.args().stream().map(this::write).toArray(String[]::new);
    }

    private String apply(Kernel.Apply a, String flags) {
        DType t = a.args().get(a.op().equals("select") ? 1 : 0).dtype();
        String[] operands = operands(a);
        if (near.contains(a)) {
            return lines.call(Types.value(t), library.near(NearLoop.function(a), t),
                    Types.value(t), operands);
        }
        if (Instructions.row(a.op()).math()) {
            return lines.call(Types.value(t), library.require(a.op(), t), Types.value(t),
                    operands);
        }
        return Arithmetic.write(lines, a.op(), t, List.of(operands), flags);
    }

    /** Appends the computation of an element's address; returns it. */
    String address(int param, damo.program.Size index) {
        return lines.value("getelementptr inbounds ", Types.memory(params.get(param).dtype()),
                ", ptr %p", Integer.toString(param), ", i64 ", sizes.write(index));
    }
}
