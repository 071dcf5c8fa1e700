package damo.codegen;

import damo.DamoException;
import damo.program.Kernel;
import damo.tensor.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The math functions that one program uses, and those between memory and registers. Each becomes an
 * internal function that LLVM inlines into the loops around its calls, where it is vectorised like
 * everything else.
 */
final class MathLibrary {
    private static final Pattern CALLED = Pattern.compile("@(damo\\.[^(\\s]+)\\(");

    private final Map<String, String> functions = new LinkedHashMap<>();
    private final boolean halves;

    /** For a machine with ({@code halves}) or without instructions for f16. */
    MathLibrary(boolean halves) {
        this.halves = halves;
    }

    /** The name (without {@code @}) of a function of {@link StorageFloats}, put in if new. */
    String storage(String name) {
        functions.computeIfAbsent(name, n -> StorageFloats.text(n, halves));
        return name;
    }

    /**
     * The name (without {@code @}) of the function for that dtype, written now if it is new. Throws
     * kind {@code "codegen"} when math.edn does not define it.
     */
    String require(String op, DType t) {
        String name = "damo." + op + "." + t.label();
        if (!functions.containsKey(name)) {
            functions.put(name, "");
            functions.put(name, write(name, definition(op, t), t, t));
        }
        return name;
    }

    /** The name of the function for arguments that are near, see {@link MathTable#near}. */
    String near(String op, DType t) {
        String name = "damo.near." + op + "." + t.label();
        if (!functions.containsKey(name)) {
            functions.put(name, write(name, MathTable.near(op, t).definition(), t, t));
        }
        return name;
    }

    /** The name of the function that says whether arguments are near. */
    String when(String op, DType t) {
        String name = "damo.when." + op + "." + t.label();
        if (!functions.containsKey(name)) {
            MathTable.Near near = MathTable.near(op, t);
            functions.put(name, write(name, new MathTable.Definition(near.definition().args(),
                    List.of(), near.when()), t, DType.BOOL));
        }
        return name;
    }

    private static MathTable.Definition definition(String op, DType t) {
        MathTable.Definition d = MathTable.get(op, t);
        if (d == null) {
            throw new DamoException("codegen", "math.edn has no definition of :" + op + " for :"
                    + t.label(), Map.of("instruction", op, "dtype", t.label()));
        }
        return d;
    }

    private String write(String name, MathTable.Definition d, DType t, DType result) {
        Lines lines = new Lines();
        ExprWriter exprs = new ExprWriter(lines, List.of(), this);
        StringBuilder parameters = new StringBuilder();
        for (String arg : d.args()) {
            String operand = Names.local("a", arg);
            exprs.bind(arg, operand);
            parameters.append(parameters.isEmpty() ? "" : ", ").append(Types.value(t)).append(' ')
                    .append(operand);
        }
        for (Kernel.Let let : d.lets()) {
            exprs.bind(let.name(), exprs.write(let.value()));
        }
        lines.add("ret ", Types.value(result), " ", exprs.write(d.result()));
        return "define internal " + Types.value(result) + " @" + name + "(" + parameters
                + ") #1 {\n"
                + lines.text() + "}\n";
    }

    /** The text of the functions that a text calls, in the order in which it asks for them. */
    String text(String text) {
        Map<String, String> called = new LinkedHashMap<>();
        collect(text, called);
        return String.join("\n", called.values());
    }

    private void collect(String text, Map<String, String> called) {
        Matcher m = CALLED.matcher(text);
        while (m.find()) {
            String name = m.group(1);
            String function = functions.get(name);
            if (function != null && called.putIfAbsent(name, function) == null) {
                collect(function, called);
            }
        }
    }
}
