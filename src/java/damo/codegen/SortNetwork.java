package damo.codegen;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A function that sorts a short line of integers in vector registers, without a branch: first the
 * lanes, each a column over the registers, by a network of comparisons; then runs of twice the
 * length each time, by bitonic merges.
 *
 * <p>Elements have numbers of some bits. At any time some of these bits say in which register an
 * element is, the others in which lane. Elements whose numbers differ in a bit of the first sort
 * are compared by one minimum and one maximum of whole registers. A bit of the other sort changes
 * places with one of the first before it, by a shuffle for each register; the one that is needed
 * last makes room. Where a merge wants a run the other way round, its elements are inverted before
 * and afterwards.
 */
final class SortNetwork {
    private final String element;
    private final int lanes;
    private final int registers;
    private final StringBuilder text = new StringBuilder();
    private final List<String> now = new ArrayList<>();
    /** Which bit of the number of an element each bit of its register and of its lane is. */
    private final int[] inRegister;
    private final int[] inLane;
    private int names;

    private SortNetwork(int bits, int lanes, int registers) {
        this.element = "i" + bits;
        this.lanes = lanes;
        this.registers = registers;
        int first = log(registers);
        this.inRegister = IntStream.range(0, first).toArray();
        this.inLane = IntStream.range(first, first + log(lanes)).toArray();
    }

    /**
     * The text of a function of that name, {@code void (ptr line, i64 n)}, for n of at most {@code
     * lanes} times {@code registers} elements, both powers of two and not 1.
     */
    static String function(String name, int bits, int lanes, int registers) {
        SortNetwork network = new SortNetwork(bits, lanes, registers);
        network.load();
        network.sort();
        network.arrange();
        network.store();
        return "define internal void @" + name + "(ptr %p, i64 %n) #0 {\n" + network.text
                + "  ret void\n}\n";
    }

    private static int log(int power) {
        return Integer.numberOfTrailingZeros(power);
    }

    private String type() {
        return "<" + lanes + " x " + element + ">";
    }

    private String value(String instruction) {
        String name = "%v" + names++;
        text.append("  ").append(name).append(" = ").append(instruction).append('\n');
        return name;
    }

    /** A constant vector of so many parts. */
    static String list(int count, IntFunction<String> part) {
        return IntStream.range(0, count).mapToObj(part).collect(Collectors.joining(", ", "<", ">"));
    }

    // Memory

    private String mask(int register) {
        String left = value("sub i64 %n, " + register * lanes);
        String low = value("call i64 @llvm.smax.i64(i64 " + left + ", i64 0)");
        String few = value("call i64 @llvm.smin.i64(i64 " + low + ", i64 " + lanes + ")");
        String words = "<" + lanes + " x i32>";
        String one = value("insertelement " + words + " poison, i32 "
                + value("trunc i64 " + few + " to i32") + ", i64 0");
        String all = value("shufflevector " + words + " " + one + ", " + words + " poison, "
                + words + " zeroinitializer");
        return value("icmp slt " + words + " " + list(lanes, i -> "i32 " + i) + ", " + all);
    }

    private String address(int register) {
        return value("getelementptr " + element + ", ptr %p, i64 " + register * lanes);
    }

    private int bytes() {
        return element.equals("i64") ? Long.BYTES : Integer.BYTES;
    }

    private String suffix() {
        return "v" + lanes + element;
    }

    private void load() {
        String largest = Long.toString(element.equals("i64") ? Long.MAX_VALUE : Integer.MAX_VALUE);
        String most = list(lanes, i -> element + " " + largest);
        for (int r = 0; r < registers; r++) {
            now.add(value("call " + type() + " @llvm.masked.load." + suffix() + ".p0(ptr "
                    + address(r) + ", i32 " + bytes() + ", <" + lanes + " x i1> " + mask(r) + ", "
                    + type() + " " + most + ")"));
        }
    }

    private void store() {
        for (int r = 0; r < registers; r++) {
            String place = address(r);
            String mask = mask(r);
            text.append("  call void @llvm.masked.store.").append(suffix()).append(".p0(")
                    .append(type()).append(' ').append(now.get(r)).append(", ptr ").append(place)
                    .append(", i32 ").append(bytes()).append(", <").append(lanes)
                    .append(" x i1> ").append(mask).append(")\n");
        }
    }

    // Sorting

    private void compare(int low, int high) {
        String operands = type() + " " + now.get(low) + ", " + type() + " " + now.get(high) + ")";
        String least = value("call " + type() + " @llvm.smin." + suffix() + "(" + operands);
        now.set(high, value("call " + type() + " @llvm.smax." + suffix() + "(" + operands));
        now.set(low, least);
    }

    private void sort() {
        int columns = log(registers);
        int all = columns + log(lanes);
        invert(columns, all);
        column(0, registers);
        for (int level = columns; level < all; level++) {
            // From runs of 2^level elements, every other of them descending, to twice the length.
            invert(level, all);
            invert(level + 1, all);
            for (int bit = level; bit >= 0; bit--) {
                int place = inRegister(bit, level);
                for (int r = 0; r < registers; r++) {
                    if ((r >> place & 1) == 0) {
                        compare(r, r | 1 << place);
                    }
                }
            }
        }
    }

    /** Batcher's network, which sorts the columns of some registers. */
    private void column(int from, int count) {
        if (count > 1) {
            column(from, count / 2);
            column(from + count / 2, count / 2);
            merge(from, count, 1);
        }
    }

    private void merge(int from, int count, int step) {
        if (2 * step < count) {
            merge(from, count, 2 * step);
            merge(from + step, count, 2 * step);
            for (int i = from + step; i + step < from + count; i += 2 * step) {
                compare(i, i + step);
            }
        } else {
            compare(from, from + step);
        }
    }

    /** Inverts the elements in whose number a bit is set. */
    private void invert(int bit, int all) {
        if (bit == all) {
            return;
        }
        for (int i = 0; i < inRegister.length; i++) {
            for (int r = 0; r < registers && inRegister[i] == bit; r++) {
                if ((r >> i & 1) == 1) {
                    invert(r, list(lanes, l -> element + " -1"));
                }
            }
        }
        for (int i = 0; i < inLane.length; i++) {
            if (inLane[i] == bit) {
                int place = i;
                String some = list(lanes, l -> element + ((l >> place & 1) == 1 ? " -1" : " 0"));
                IntStream.range(0, registers).forEach(r -> invert(r, some));
            }
        }
    }

    private void invert(int register, String lanesOf) {
        now.set(register, value("xor " + type() + " " + now.get(register) + ", " + lanesOf));
    }

    // Bits in registers and lanes

    /** Brings a bit of a merge of that level among those of registers; gives its place there. */
    private int inRegister(int bit, int level) {
        int last = 0;
        for (int i = 0; i < inRegister.length; i++) {
            if (inRegister[i] == bit) {
                return i;
            }
            if (wait(inRegister[i], bit, level) > wait(inRegister[last], bit, level)) {
                last = i;
            }
        }
        for (int i = 0; i < inLane.length; i++) {
            if (inLane[i] == bit) {
                swap(last, i);
            }
        }
        return last;
    }

    /** How many comparisons a bit of others is not needed for, from that of {@code bit} on. */
    private static int wait(int other, int bit, int level) {
        return other < bit ? bit - other : bit + 1 + Math.max(0, level + 1 - other);
    }

    /** Two bits change places, one of registers and one of lanes. */
    private void swap(int place, int lane) {
        int bit = inRegister[place];
        inRegister[place] = inLane[lane];
        inLane[lane] = bit;
        for (int r = 0; r < registers; r++) {
            if ((r >> place & 1) == 0) {
                int other = r | 1 << place;
                String both = "shufflevector " + type() + " " + now.get(r) + ", " + type() + " "
                        + now.get(other) + ", <" + lanes + " x i32> ";
                int step = 1 << lane;
                now.set(r, value(both + list(lanes, l -> "i32 "
                        + ((l & step) == 0 ? l : lanes + (l ^ step)))));
                now.set(other, value(both + list(lanes, l -> "i32 "
                        + ((l & step) == 0 ? l ^ step : lanes + l))));
            }
        }
    }

    /** Puts the elements in order: the low bits of a number are those of the lane. */
    private void arrange() {
        for (int lane = 0; lane < inLane.length; lane++) {
            while (inLane[lane] != lane) {
                for (int i = 0; i < inLane.length; i++) {
                    if (inLane[i] == lane) {
                        swap(0, i);
                    }
                }
                for (int i = 0; i < inRegister.length; i++) {
                    if (inRegister[i] == lane) {
                        swap(i, lane);
                    }
                }
            }
        }
        List<String> before = new ArrayList<>(now);
        for (int r = 0; r < registers; r++) {
            int number = 0;
            for (int i = 0; i < inRegister.length; i++) {
                number |= (r >> i & 1) << inRegister[i] - inLane.length;
            }
            now.set(number, before.get(r));
        }
    }
}
