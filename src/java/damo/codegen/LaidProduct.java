package damo.codegen;

import damo.codegen.ProductWriter.Fixed;
import damo.codegen.ProductWriter.Strides;
import damo.program.Size;
import damo.program.Step;
import damo.verify.CallTable;
import java.util.List;

/**
 * One product of which operands may be matrices that lie in rows, in panels or in columns, as the
 * call's table tells at the moment. Rows may lie farther apart than a program has them.
 */
final class LaidProduct {
    private final Lines lines;
    private final CallTable table;
    private final Products products;
    private final Fixed f;
    private final Rows rows;

    /** Appends a product of matrices in rows, which lie apart as its strides say. */
    interface Rows {
        void write(Fixed f, String a, String b, String c);
    }

    LaidProduct(Lines lines, CallTable table, Products products, Fixed f, Rows rows) {
        this.lines = lines;
        this.table = table;
        this.products = products;
        this.f = f;
        this.rows = rows;
    }

    /** An operand: where its layout was loaded to, and its strides in rows and in columns. */
    private record Laid(String word, Strides rows, Strides columns) { }

    /** The product as it lies at the moment, unless C lies in columns: its strides, and bits. */
    record Now(Fixed product, String panels) { }

    /** Appends what finds how operands lie. */
    Now now() {
        Laid la = laid(f.g().a(), f.g().k(), f.a());
        Laid lb = laid(f.g().b(), f.g().n(), f.b());
        Laid lc = laid(f.g().c(), f.g().n(), f.c());
        return new Now(with(now(la), now(lb), lc.rows), bits(la, lb, lc));
    }

    /** Appends whether C lies in columns, an i1; null where it never does. */
    String turned() {
        Laid lc = laid(f.g().c(), f.g().n(), f.c());
        return lc.word == null ? null : columns(lc);
    }

    /** Appends whether some operand lies not in rows, an i1; null where all ever do. */
    String other() {
        String other = any(laid(f.g().a(), f.g().k(), f.a()).word,
                laid(f.g().b(), f.g().n(), f.b()).word, laid(f.g().c(), f.g().n(), f.c()).word);
        return other == null ? null : lines.value("icmp ne i64 ", other, ", 0");
    }

    /** Appends it, given the addresses of operands with their types. */
    void write(String a, String b, String c) {
        Laid la = laid(f.g().a(), f.g().k(), f.a());
        Laid lb = laid(f.g().b(), f.g().n(), f.b());
        Laid lc = laid(f.g().c(), f.g().n(), f.c());
        String other = any(la.word, lb.word, lc.word);
        Runnable inRows = () -> rows.write(with(la.rows, lb.rows, lc.rows), a, b, c);
        if (other == null) {
            inRows.run();
            return;
        }
        lines.either(lines.value("icmp eq i64 ", other, ", 0"), inRows, () -> {
            Strides as = now(la);
            Strides bs = now(lb);
            Runnable straight = () -> call(f.m(), f.n(), a, as, b, bs, c, lc.rows.row(),
                    bits(la, lb, lc));
            if (lc.word == null) {
                straight.run();
            } else {
                // C = A B in columns is C' = B' A' in rows; a matrix in panels may be either.
                lines.either(columns(lc), () -> call(f.n(), f.m(), b, bs.turned(), a, as.turned(),
                        c, lc.rows.row(), bits(lb, la, new Laid(null, null, null))), straight);
            }
        });
    }

    private Fixed with(Strides a, Strides b, Strides c) {
        return new Fixed(f.number(), f.g(), f.m(), f.n(), f.k(), f.alpha(), f.beta(), a, b, c);
    }

    private Laid laid(Step.Operand o, Size length, Strides plain) {
        int matrix = table.matrix(o.buffer());
        if (matrix < 0) {
            return new Laid(null, plain, plain);
        }
        String lead = "i64 " + lines.loaded("i64", "%dims", Integer.toString(table.lead(matrix)));
        boolean straight = o.rowStride().equals(length)
                && o.colStride().equals(new Size.Int(1));
        Strides apart = new Strides(lead, "i64 1");
        return new Laid(lines.loaded("i64", "%dims", Integer.toString(table.layout(matrix))),
                straight ? apart : apart.turned(), straight ? apart.turned() : apart);
    }

    private String any(String... words) {
        String all = null;
        for (String word : words) {
            all = all == null || word == null ? all == null ? word : all
                    : lines.value("or i64 ", all, ", ", word);
        }
        return all;
    }

    private String columns(Laid o) {
        return lines.value("icmp eq i64 ", o.word, ", ", Integer.toString(CallTable.COLUMNS));
    }

    private Strides now(Laid o) {
        if (o.word == null) {
            return o.rows;
        }
        String columns = columns(o);
        return new Strides(select(columns, o.columns.row(), o.rows.row()),
                select(columns, o.columns.column(), o.rows.column()));
    }

    private String select(String condition, String yes, String no) {
        return "i64 " + lines.value("select i1 ", condition, ", ", yes, ", ", no);
    }

    /** The bits of operands that lie in panels: 1, 2, 4. */
    private String bits(Laid a, Laid b, Laid c) {
        String bits = "0";
        int shift = 0;
        for (Laid o : List.of(a, b, c)) {
            if (o.word != null) {
                bits = lines.value("or i64 ", bits, ", ", lines.value("shl i64 ", lines.value(
                        "and i64 ", o.word, ", ", Integer.toString(CallTable.PANELS)), ", ",
                        Integer.toString(shift)));
            }
            shift++;
        }
        return "i64 " + bits;
    }

    private void call(String m, String n, String a, Strides as, String b, Strides bs, String c,
                      String cRow, String bits) {
        lines.add("call void ", products.requireProduct(f.g().dtype()), "(", String.join(", ", m, n,
                f.k(), f.alpha(), a, as.both(), b, bs.both(), f.beta(), c, cRow,
                "i64 " + lines.threads(), bits, "ptr null, ptr null"), ")");
    }
}
