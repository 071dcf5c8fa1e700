package damo.codegen;

import damo.program.Kernel;
import damo.program.Program;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The way from a program to the text of an LLVM module. */
public final class Codegen {
    private Codegen() { }

    /**
     * An LLVM module: its text; the names of the BLAS functions that it declares; and those of
     * other functions that it declares, each with the module that defines it. The latter are the
     * same, name for name, in all modules for one width of vectors.
     */
    public record Module(String text, List<String> externals, Map<String, Module> shared) { }

    /**
     * The module that defines {@code damo_call} and {@code damo_repeat} of docs/program.md, with
     * loops written for vectors of {@code vectorBits} bits (128, 256 or 512). Throws kind {@code
     * "codegen"} for an instruction or dtype that cannot be translated.
     */
    public static Module module(Program program, int vectorBits) {
        MathLibrary library = new MathLibrary();
        List<String> functions = new ArrayList<>();
        List<Usage> usages = new ArrayList<>();
        for (int i = 0; i < program.kernels().size(); i++) {
            Kernel kernel = program.kernels().get(i);
            Usage usage = Usage.of(kernel);
            usages.add(usage);
            functions.add(KernelWriter.write(kernelName(i, kernel), kernel, usage, library));
        }
        Products products = new Products(vectorBits);
        functions.add(CallWriter.write(program, usages, products));
        functions.add(products.declarations());
        functions.add(library.text());
        return new Module("; damo program " + comment(program.name()) + "\n"
                + String.join("\n", functions) + attributes(vectorBits),
                List.of(), products.shared());
    }

    /** The function of kernel number i. */
    static String kernelName(int i, Kernel kernel) {
        return Names.global("k" + i, kernel.name());
    }

    private static String comment(String name) {
        return name.replaceAll("\\p{Cntrl}", " ");
    }

    /**
     * #0: kernels, which stay apart so that each is compiled alone. #1: math functions, inlined.
     */
    static String attributes(int vectorBits) {
        String width = "\"prefer-vector-width\"=\"" + vectorBits + "\"";
        return "\nattributes #0 = { noinline nounwind " + width + " }\n"
                + "attributes #1 = { alwaysinline nounwind " + width + " }\n"
                + "attributes #2 = { nounwind " + width + " }\n";
    }
}
