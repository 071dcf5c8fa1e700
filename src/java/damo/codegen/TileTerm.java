package damo.codegen;

import java.util.List;

/**
 * What a tile does with one packed line: vectors of B, elements of A in all lanes, and their
 * products added to sums. Of pairs both terms are added, the first one first.
 */
final class TileTerm {
    private static final int HALF = 16;

    private final Lines lines;
    private final Vectors v;
    private final TileForm form;
    private final boolean keeps;

    /** {@code keeps}: subnormal numbers of bf16 are not taken for zeros. */
    TileTerm(Lines lines, Vectors v, TileForm form, boolean keeps) {
        this.lines = lines;
        this.v = v;
        this.form = form;
        this.keeps = keeps;
    }

    /** Values that are multiplied one after the other: one, or the two of pairs. */
    record Factor(List<String> values) { }

    /** A vector of B. */
    Factor line(String address) {
        return form.pairs() ? factor(lines.value("load ", words(), ", ptr ", address, ", align 4"))
                : new Factor(List.of(v.load(address, null)));
    }

    /** An element of A in all lanes. */
    Factor everywhere(String address) {
        if (!form.pairs()) {
            return new Factor(List.of(v.splat(v.scalar(address))));
        }
        String one = lines.value("insertelement ", words(), " poison, i32 ",
                lines.value("load i32, ptr ", address), ", i64 0");
        return factor(lines.value("shufflevector ", words(), " ", one, ", ", words(), " poison, <",
                Integer.toString(v.lanes()), " x i32> zeroinitializer"));
    }

    /** Appends the sum, as a value of that name. */
    void add(String name, Factor x, Factor y, String sum) {
        if (form.pairs() && !keeps) {
            pair(name, x.values.getFirst(), y.values.getFirst(), sum);
            return;
        }
        String so = sum;
        for (int i = 0; i < x.values.size(); i++) {
            boolean last = i == x.values.size() - 1;
            String next = last ? name : lines.fresh();
            v.fused(next, x.values.get(i), y.values.get(i), so);
            so = next;
        }
    }

    private String words() {
        return "<" + v.lanes() + " x i32>";
    }

    /** The pairs as the instruction takes them, or as the floats that they are. */
    private Factor factor(String words) {
        if (!keeps) {
            return new Factor(List.of(lines.value("bitcast ", words(), " ", words, " to ",
                    halves())));
        }
        String first = lines.value("and ", words(), " ", words, ", ", all(-1 << HALF));
        String second = lines.value("shl ", words(), " ", words, ", ", all(HALF));
        return new Factor(List.of(floats(first), floats(second)));
    }

    private String floats(String words) {
        return lines.value("bitcast ", words(), " ", words, " to ", v.type());
    }

    private String all(int x) {
        return "<i32 " + x + (", i32 " + x).repeat(v.lanes() - 1) + ">";
    }

    private String halves() {
        return "<" + 2 * v.lanes() + (form == TileForm.BF16_PAIRS ? " x bfloat>" : " x i16>");
    }

    private void pair(String name, String x, String y, String sum) {
        String bits = Integer.toString(v.lanes() * Float.SIZE);
        String both = halves() + " " + x + ", " + halves() + " " + y + ")";
        if (form == TileForm.BF16_PAIRS) {
            lines.add(name, " = call ", v.type(), " @llvm.x86.avx512bf16.dpbf16ps.", bits, "(",
                    v.type(), " ", sum, ", ", both);
        } else {
            lines.add(name, " = add ", v.type(), " ", sum, ", ", lines.value("call ", v.type(),
                    " @llvm.x86.", multiplyAdd(), "(", both));
        }
    }

    private String multiplyAdd() {
        return switch (v.lanes()) {
            case 4 -> "sse2.pmadd.wd";
            case 8 -> "avx2.pmadd.wd";
            default -> "avx512.pmaddw.d.512";
        };
    }
}
