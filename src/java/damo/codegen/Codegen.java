package damo.codegen;

import damo.program.Kernel;
import damo.program.Program;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The way from a program to the text of an LLVM module. */
public final class Codegen {
    private Codegen() { }

    /** Characters of kernels after which a further module begins: some 20 ms of LLVM's work. */
    private static final int PART = 40_000;

    /**
     * The largest frame of a generated function, in bytes. Calls are three or four functions deep
     * (steps of steps, a kernel), so that a call takes less than 256 KiB of the stack besides what
     * the libraries need.
     */
    public static final int STACK = 1 << 16;

    /**
     * An LLVM module: its text; the texts of further modules that define what it calls, each of
     * which can be compiled by itself; the functions of libraries and of the application that it
     * declares, each with its library, which is "" for the application; and those of other
     * functions that it declares, each with the module that defines it. The latter are the same,
     * name for name, in all modules for one width of vectors.
     */
    public record Module(String text, List<String> parts, Map<String, String> externals,
                         Map<String, Module> shared) {
        /** All texts of the module, its own first. */
        public List<String> texts() {
            List<String> all = new ArrayList<>(List.of(text));
            all.addAll(parts);
            return all;
        }
    }

    /**
     * The module that defines {@code damo_call} and {@code damo_repeat} of docs/program.md, with
     * loops written for vectors of {@code vectorBits} bits (128, 256 or 512). Kernels that are
     * long together lie in parts, so that threads may share the work. Throws kind {@code
     * "codegen"} for an instruction or dtype that cannot be translated. {@code halves} tells that
     * the machine has instructions for f16; without, integers do their work.
     */
    public static Module module(Program program, int vectorBits, boolean halves) {
        Polls polls = Polls.of(program);
        List<Usage> usages = IntStream.range(0, program.kernels().size())
                .mapToObj(k -> Usage.of(program.kernels().get(k), polls.kernel(k))).toList();
        List<String> kernels = kernels(program, usages, halves);
        Outside outside = new Outside();
        String call = CallWriter.write(program, usages, polls, outside,
                new Products(outside, vectorBits));
        Foreign.tell(program, outside);
        boolean together = kernels.size() == 1;
        StringBuilder text = new StringBuilder("; damo program ").append(comment(program.name()))
                .append('\n').append(together ? kernels.getFirst() : declarations(program, usages))
                .append(call).append('\n').append(outside.declarations())
                .append(attributes(vectorBits));
        List<String> parts = together ? List.of()
                : kernels.stream().map(part -> part + attributes(vectorBits)).toList();
        return new Module(text.toString(), parts, outside.externals(), outside.shared());
    }

    /** The kernels and the math functions that they use, in at least one text. */
    private static List<String> kernels(Program program, List<Usage> usages,
                                        boolean halves) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        String natives = Foreign.nativeDeclarations(program);
        MathLibrary library = new MathLibrary(halves);
        for (int i = 0; i < program.kernels().size(); i++) {
            if (part.length() > PART) {
                parts.add(part.append(library.text()).append('\n').append(natives).toString());
                part.setLength(0);
                library = new MathLibrary(halves);
            }
            Kernel kernel = program.kernels().get(i);
            part.append(KernelWriter.write(kernelName(i, kernel), kernel, usages.get(i), library))
                    .append('\n');
        }
        parts.add(part.append(library.text()).append('\n').append(natives).toString());
        return parts;
    }

    private static String declarations(Program program, List<Usage> usages) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < program.kernels().size(); i++) {
            Kernel kernel = program.kernels().get(i);
            text.append(KernelWriter.declaration(kernelName(i, kernel), kernel, usages.get(i)));
        }
        return text.append('\n').toString();
    }

    /** The same for a machine without instructions for f16. */
    public static Module module(Program program, int vectorBits) {
        return module(program, vectorBits, false);
    }

    /** The function of kernel number i. */
    static String kernelName(int i, Kernel kernel) {
        return Names.global("k" + i, kernel.name());
    }

    private static String comment(String name) {
        return name.replaceAll("\\p{Cntrl}", " ");
    }

    /**
     * #0: kernels and parts of long calls, which stay apart so that each is compiled alone. #1:
     * math functions, inlined. #2: others. A frame larger than {@link #STACK} bytes is refused.
     */
    static String attributes(int vectorBits) {
        String width = "\"prefer-vector-width\"=\"" + vectorBits + "\" \"warn-stack-size\"=\""
                + STACK + "\"";
        return "\nattributes #0 = { noinline nounwind " + width + " }\n"
                + "attributes #1 = { alwaysinline nounwind " + width + " }\n"
                + "attributes #2 = { nounwind " + width + " }\n";
    }
}
