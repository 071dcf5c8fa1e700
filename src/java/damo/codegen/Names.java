package damo.codegen;

import java.nio.charset.StandardCharsets;

/** Names of a program as LLVM identifiers; no name, however odd, can break the text. */
final class Names {
    private static final String DIMENSION = "d";

    private Names() { }

    /** A local value: {@code local("n", "i")} is {@code %n.i}. */
    static String local(String prefix, String name) {
        return "%" + identifier(prefix + "." + name);
    }

    /** The operand of a dimension of a kernel. */
    static String dimension(String name) {
        return local(DIMENSION, name);
    }

    /** Whether an operand is that of a dimension of a kernel. */
    static boolean isDimension(String operand) {
        return operand.startsWith("%" + DIMENSION + ".")
                || operand.startsWith("%\"" + DIMENSION + ".");
    }

    /** A function: {@code global("k", "add-tanh")} is {@code @k.add-tanh}. */
    static String global(String prefix, String name) {
        return "@" + identifier(prefix + "." + name);
    }

    /** The function of a kernel of that name, with a mark that tells it from others. */
    static String kernel(String name, String mark) {
        return global("k", name + "." + mark);
    }

    private static String identifier(String text) {
        boolean plain = text.chars().allMatch(c -> c < 128
                && (Character.isLetterOrDigit(c) || c == '.' || c == '_' || c == '-' || c == '$'));
        if (plain) {
            return text;
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            if (b < ' ' || b == '"' || b == '\\' || b == 127) {
                quoted.append(String.format("\\%02X", b & 0xff));
            } else {
                quoted.append((char) b);
            }
        }
        return quoted.append('"').toString();
    }
}
