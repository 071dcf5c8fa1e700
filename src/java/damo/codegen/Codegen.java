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
     * The module that defines {@code damo_call} and {@code damo_repeat} of docs/program.md, with
     * loops written for vectors of {@code vectorBits} bits (128, 256 or 512). Kernels that are
     * long together lie in parts, so that threads may share the work. Throws kind {@code
     * "codegen"} for an instruction or dtype that cannot be translated. {@code halves} tells that
     * the machine has instructions for f16; without, integers do their work.
     */
    public static LlvmModule module(Program program, int vectorBits, boolean halves) {
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
                .append(Attributes.text(vectorBits));
        List<String> parts = together ? List.of()
                : kernels.stream().map(part -> part + Attributes.text(vectorBits)).toList();
        return new LlvmModule(text.toString(), parts, outside.externals(), outside.shared());
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
            part.append(KernelWriter.write(Names.kernel(i, kernel.name()), kernel, usages.get(i),
                    library)).append('\n');
        }
        parts.add(part.append(library.text()).append('\n').append(natives).toString());
        return parts;
    }

    private static String declarations(Program program, List<Usage> usages) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < program.kernels().size(); i++) {
            Kernel kernel = program.kernels().get(i);
            text.append(KernelWriter.declaration(Names.kernel(i, kernel.name()), kernel,
                    usages.get(i)));
        }
        return text.append('\n').toString();
    }

    /** The same for a machine without instructions for f16. */
    public static LlvmModule module(Program program, int vectorBits) {
        return module(program, vectorBits, false);
    }

    private static String comment(String name) {
        return name.replaceAll("\\p{Cntrl}", " ");
    }
}
