package damo.codegen;

import damo.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Vector values of floats in the body of a function that is written by hand, not found by LLVM: as
 * wide as the machine's registers, the last of a line under a mask. Sums lie in slots, which LLVM
 * turns into registers.
 */
final class Vectors {
    private final Lines lines;
    private final DType t;
    private final int lanes;
    private final DType memory;
    private final boolean halves;

    /** Those of {@code lanes} elements each, written to {@code lines}. */
    Vectors(Lines lines, DType t, int lanes) {
        this(lines, t, lanes, false);
    }

    /**
     * The same where memory holds elements of a storage dtype, which are widened when they are
     * loaded; {@code halves} tells that the machine has instructions for f16.
     */
    Vectors(Lines lines, DType memory, int lanes, boolean halves) {
        this(lines, memory, memory.computed(), lanes, halves);
    }

    /** The same where memory may hold smaller integers. */
    Vectors(Lines lines, DType memory, DType t, int lanes, boolean halves) {
        this.lines = lines;
        this.t = t;
        this.lanes = lanes;
        this.memory = memory;
        this.halves = halves;
    }

    /** How many elements a value has. */
    int lanes() {
        return lanes;
    }

    /** The type of an element. */
    String element() {
        return Types.value(t);
    }

    /** The type of a value. */
    String type() {
        return type(lanes);
    }

    private String type(int width) {
        return "<" + width + " x " + element() + ">";
    }

    /** The address of an element. */
    String address(String base, String index) {
        return lines.value("getelementptr inbounds ", Types.memory(memory), ", ptr ", base,
                ", i64 ", index);
    }

    /** An element, given its address. */
    String scalar(String address) {
        return widened(lines.value("load ", Types.memory(memory), ", ptr ", address), 0);
    }

    /** An element in all lanes. */
    String splat(String x) {
        String one = lines.value("insertelement ", type(), " poison, ", element(), " ", x,
                ", i64 0");
        return lines.value("shufflevector ", type(), " ", one, ", ", type(), " poison, <",
                Integer.toString(lanes), " x i32> zeroinitializer");
    }

    /** Which lanes are below {@code count}, an i64: a mask. */
    String below(String count) {
        String few = lines.call("i64", "llvm.smin.i64", "i64", count, Integer.toString(lanes));
        String words = "<" + lanes + " x i32>";
        String one = lines.value("insertelement ", words, " poison, i32 ",
                lines.value("trunc i64 ", few, " to i32"), ", i64 0");
        String all = lines.value("shufflevector ", words, " ", one, ", ", words, " poison, ", words,
                " zeroinitializer");
        return lines.value("icmp slt ", words, " ", list(lanes, i -> "i32 " + i), ", ", all);
    }

    /** The elements from an address on; those under the mask, else 0, unless it is null. */
    String load(String address, String mask) {
        String type = "<" + lanes + " x " + Types.memory(memory) + ">";
        String x = mask == null
                ? lines.value("load ", type, ", ptr ", address, ", align ", bytes())
                : lines.value("call ", type, " @llvm.masked.load.v", Integer.toString(lanes),
                        memory.storage() ? "i16" : Types.suffix(memory), ".p0(ptr ", address,
                        ", i32 ",
                        bytes(), ", <", Integer.toString(lanes), " x i1> ", mask, ", ", type,
                        " zeroinitializer)");
        return widened(x, lanes);
    }

    /** What was loaded, in so many lanes or, where these are 0, alone. */
    private String widened(String x, int lanes) {
        if (memory.storage() && t.floating()) {
            return new Widening(lines, lanes).floats(memory, x, halves);
        }
        if (Types.memory(memory).equals(element())) {
            return x;
        }
        String head = lanes == 0 ? "" : "<" + lanes + " x ";
        String tail = lanes == 0 ? "" : ">";
        return lines.value(Types.unsigned(memory) ? "zext " : "sext ", head, Types.memory(memory),
                tail, " ", x, " to ", head, element(), tail);
    }

    /** Stores the elements, those under the mask unless it is null. */
    void store(String value, String address, String mask) {
        if (mask == null) {
            lines.add("store ", type(), " ", value, ", ptr ", address, ", align ", bytes());
        } else {
            lines.add("call void @llvm.masked.store.v", suffix(), ".p0(", type(), " ", value,
                    ", ptr ", address, ", i32 ", bytes(), ", <", Integer.toString(lanes), " x i1> ",
                    mask, ")");
        }
    }

    /** Appends the one when a number is 0, else the other. */
    void unlessZero(String number, Runnable zero, Runnable other) {
        String some = lines.value("fcmp une ", element(), " ", number, ", ", Types.floating(0.0));
        String add = lines.freshLabel("add");
        String store = lines.freshLabel("store");
        String after = lines.freshLabel("after");
        lines.add("br i1 ", some, ", label %", add, ", label %", store);
        lines.label(add);
        other.run();
        lines.add("br label %", after);
        lines.label(store);
        zero.run();
        lines.add("br label %", after);
        lines.label(after);
    }

    private String bytes() {
        return Integer.toString(memory.bytes());
    }

    private String suffix() {
        return lanes + Types.suffix(t);
    }

    /** The product of two. */
    String times(String x, String y) {
        return lines.value("fmul contract ", type(), " ", x, ", ", y);
    }

    /** The product of two, rounded. */
    String rounded(String x, String y) {
        return lines.value(t.floating() ? "fmul " : "mul ", type(), " ", x, ", ", y);
    }

    /** The sum of two, of which one may be a product that is not rounded before. */
    String plus(String x, String y) {
        return lines.value("fadd contract ", type(), " ", x, ", ", y);
    }

    /** The product of two and a third added to it, rounded once where the machine can. */
    String fused(String x, String y, String z) {
        String name = lines.fresh();
        fused(name, x, y, z);
        return name;
    }

    /** The same as a value of that name. */
    void fused(String name, String x, String y, String z) {
        if (!t.floating()) {
            lines.add(name, " = add ", type(), " ", lines.value("mul ", type(), " ", x, ", ", y),
                    ", ", z);
            return;
        }
        lines.add(name, " = call ", type(), " @llvm.fmuladd.v", suffix(), "(", type(), " ", x,
                ", ", type(), " ", y, ", ", type(), " ", z, ")");
    }

    /** So many names that are not yet used. */
    List<String> fresh(int count) {
        return IntStream.range(0, count).mapToObj(i -> lines.fresh()).toList();
    }

    /** Fetches the line at an address, which need not be one, into the nearest cache. */
    void prefetch(String address) {
        prefetch(address, "3");
    }

    /** The same into the one behind, where it pushes nothing out that is at work. */
    void prefetchFar(String address) {
        prefetch(address, "2");
    }

    private void prefetch(String address, String near) {
        lines.add("call void @llvm.prefetch.p0(ptr ", address, ", i32 0, i32 ", near, ", i32 1)");
    }

    /** So many slots that hold zeros from here on. */
    List<String> sums(int count) {
        List<String> slots = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            slots.add(lines.slot(lines.fresh(), type()));
            lines.add("store ", type(), " zeroinitializer, ptr ", slots.getLast());
        }
        return slots;
    }

    /** What a slot holds. */
    String sum(String slot) {
        return lines.value("load ", type(), ", ptr ", slot);
    }

    /** Changes what a slot holds. */
    void set(String slot, String value) {
        lines.add("store ", type(), " ", value, ", ptr ", slot);
    }

    /** Adds to what a slot holds. */
    void add(String slot, String x, String y) {
        set(slot, plus(sum(slot), times(x, y)));
    }

    /** The total of values, pairwise. */
    String total(List<String> values) {
        if (values.size() == 1) {
            return values.getFirst();
        }
        int half = values.size() / 2;
        List<String> halves = new ArrayList<>(values.subList(2 * half, values.size()));
        for (int i = 0; i < half; i++) {
            halves.add(plus(values.get(i), values.get(half + i)));
        }
        return total(halves);
    }

    /** What slots hold, added up where they lie {@code count} apart. */
    List<String> totals(List<String> slots, int count) {
        List<String> totals = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            List<String> parts = new ArrayList<>();
            for (int s = i; s < slots.size(); s += count) {
                parts.add(sum(slots.get(s)));
            }
            totals.add(total(parts));
        }
        return totals;
    }

    /**
     * The sum of the lanes of each of some values, as many as a power of two and no more than
     * lanes: a value of so many lanes. Each step adds halves of what is left of each value.
     */
    String across(List<String> values) {
        int count = values.size();
        List<String> now = values;
        for (int part = lanes / 2; now.size() > 1; part /= 2) {
            List<String> next = new ArrayList<>();
            for (int i = 0; i < now.size(); i += 2) {
                next.add(halves(now.get(i), now.get(i + 1), part, lanes, lanes));
            }
            now = next;
        }
        String left = now.getFirst();
        for (int width = lanes; width > count; width /= 2) {
            left = halves(left, left, width / count / 2, width, width / 2);
        }
        return left;
    }

    /**
     * Adds to each run of {@code part} lanes the run behind it, in two values of {@code width}
     * lanes one after the other; the first {@code result} lanes of what comes out.
     */
    private String halves(String x, String y, int part, int width, int result) {
        IntFunction<String> first = i -> "i32 " + (i / part * 2 * part + i % part);
        IntFunction<String> second = i -> "i32 " + (i / part * 2 * part + part + i % part);
        return lines.value("fadd ", type(result), " ", mix(x, y, width, result, first), ", ",
                mix(x, y, width, result, second));
    }

    /** A value of the elements with these numbers in two values one after the other. */
    String mix(String x, String y, IntUnaryOperator lane) {
        return mix(x, y, lanes, lanes, i -> "i32 " + lane.applyAsInt(i));
    }

    private String mix(String x, String y, int width, int result, IntFunction<String> lane) {
        return lines.value("shufflevector ", type(width), " ", x, ", ", type(width), " ", y, ", <",
                Integer.toString(result), " x i32> ", list(result, lane));
    }

    private static String list(int count, IntFunction<String> part) {
        return IntStream.range(0, count).mapToObj(part).collect(Collectors.joining(", ", "<", ">"));
    }
}
