package damo.program;

import damo.DamoException;
import damo.Resources;
import damo.edn.Edn;
import damo.tensor.DType;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The scalar instruction table, {@code resources/damo/scalar.edn}: what may stand at the head of an
 * expression. Read once; immutable. Example: {@code Instructions.result("lt", List.of(F32, F32))}
 * is {@code BOOL}.
 */
public final class Instructions {
    private static final Map<String, Row> ROWS = load();

    private static final Set<String> REDUCERS = Set.of("add", "mul", "maximum", "minimum", "and",
            "or");

    private Instructions() { }

    /**
     * One instruction: number of operands, the class of dtypes it takes (the {@code :on} of the
     * table), the dtype it gives ({@code :gives}), and whether it is a function defined in
     * math.edn.
     */
    public record Row(String name, int args, String on, String gives, boolean math) {
        /**
         * Whether operands of that dtype are taken; for {@code select}, whether its two choices may
         * have it.
         */
        public boolean takes(DType t) {
            return switch (on) {
                case "any" -> !t.storage();
                case "num" -> !t.storage() && t != DType.BOOL;
                case "float" -> t.floating() && !t.storage();
                case "int" -> !t.floating() && t != DType.BOOL;
                case "integral" -> !t.floating();
                case "wide" -> t == DType.I32 || t == DType.I64;
                default -> t.label().equals(on);
            };
        }

        /** The dtype of the result for operands of dtype t. */
        public DType gives(DType t) {
            return switch (gives) {
                case "same" -> t;
                case "bits" -> t == DType.F32 ? DType.I32 : DType.I64;
                case "float" -> t == DType.I32 ? DType.F32 : DType.F64;
                default -> DType.of(gives);
            };
        }
    }

    /** The row of that name without its colon, or null when there is none. */
    public static Row row(String name) {
        return ROWS.get(name);
    }

    /** All rows by name, in the order of the table; unmodifiable. */
    public static Map<String, Row> rows() {
        return ROWS;
    }

    /** Whether {@code [:acc op …]} takes the instruction: it is associative and commutative. */
    public static boolean reduces(String name) {
        return REDUCERS.contains(name);
    }

    /**
     * The dtype of the instruction applied to operands of these dtypes. Throws a DamoException of
     * kind "bad-program" for an unknown name, a wrong number of operands or wrong dtypes.
     */
    public static DType result(String op, List<DType> operands) {
        Row row = ROWS.get(op);
        if (row == null) {
            throw bad("there is no instruction :" + op + " in scalar.edn");
        }
        if (row.args != operands.size()) {
            throw bad(":" + op + " takes " + row.args + " operands, found " + operands.size());
        }
        int first = 0;
        if (op.equals("select")) {
            first = 1;
            if (operands.get(0) != DType.BOOL) {
                throw bad("the first operand of :select is a :bool, found :"
                        + operands.get(0).label());
            }
        }
        DType t = operands.get(first);
        for (DType other : operands.subList(first, operands.size())) {
            if (other != t) {
                throw bad("the operands of :" + op + " have one dtype, found :" + t.label()
                        + " and :"
                        + other.label() + "; convert with [:cast dtype e]");
            }
        }
        if (!row.takes(t)) {
            throw bad(":" + op + " takes operands of class :" + row.on + ", found :" + t.label());
        }
        return row.gives(t);
    }

    private static DamoException bad(String message) {
        return new DamoException("bad-program", message);
    }

    private static Map<String, Row> load() {
        Map<String, Row> rows = new LinkedHashMap<>();
        Edn.readMap(Resources.text("scalar.edn")).forEach((key, value) -> {
            Map<?, ?> m = (Map<?, ?>) value;
            String name = ((Edn.Keyword) key).name();
            rows.put(name, new Row(name, ((Long) field(m, "args")).intValue(), keyword(m, "on"),
                    keyword(m, "gives"), Boolean.TRUE.equals(field(m, "math"))));
        });
        return Collections.unmodifiableMap(rows);
    }

    private static Object field(Map<?, ?> m, String key) {
        return m.get(new Edn.Keyword(key));
    }

    private static String keyword(Map<?, ?> m, String key) {
        return ((Edn.Keyword) field(m, key)).name();
    }
}
