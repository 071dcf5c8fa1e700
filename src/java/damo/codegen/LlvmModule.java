package damo.codegen;

import java.util.List;
import java.util.Map;

/**
 * Texts that make one piece of code; the functions of libraries and of the application that they
 * declare, each with its library, which is "" for the application; and those of other functions
 * that they declare, each with the module that defines it. The latter are the same, name for name,
 * in all modules for one width of vectors.
 */
public record LlvmModule(List<Text> texts, Map<String, String> externals,
                         Map<String, LlvmModule> shared) {
    /**
     * A text, which is compiled by itself. It has loops, or else it is straight code between calls,
     * a few instructions each, on which optimising would be wasted.
     */
    public record Text(String ir, boolean loops) { }

    /** All texts, one after the other. */
    public String text() {
        return String.join("\n", texts.stream().map(Text::ir).toList());
    }
}
