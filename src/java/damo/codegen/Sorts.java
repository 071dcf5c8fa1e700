package damo.codegen;

import damo.Resources;
import damo.program.Program;
import damo.tensor.DType;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The function that sorts a line of integers in place, or finds the smallest of them in order: by
 * quicksort, from the template resources/damo/sort.ll, with networks for what is short. Where the
 * machine can compress vectors a line is split by whole vectors, else element by element.
 */
final class Sorts {
    private static final String TEMPLATE = Resources.text("sort.ll");
    /** Vectors of so many bits can be compressed. */
    private static final int COMPRESS = 512;
    /** Registers of the longest network, and of those whose vectors are narrower. */
    private static final int MOST = 16;
    private static final int MOST_NARROW = 8;
    /** Vectors of samples of lines, and of those of long ones. */
    private static final int FEW = 2;
    private static final int MANY = 4;
    private static final int LONG = 4096;

    private static final String SPLIT_VECTORS = Resources.text("sort-vectors.ll");
    private static final String SPLIT_ELEMENTS = Resources.text("sort-elements.ll");

    private Sorts() { }

    /** The name of the function for a dtype, i32 or i64. */
    static String name(DType t, int vectorBits) {
        return "damo.sort." + t.label() + "." + vectorBits;
    }

    private static String declaration(DType t, int vectorBits) {
        return "void @" + name(t, vectorBits) + "(ptr, ptr, i64, i64)";
    }

    private static Set<DType> dtypes(Program program) {
        Set<DType> found = new TreeSet<>();
        program.kernels().forEach(kernel -> found.addAll(kernel.sorts()));
        return found;
    }

    /** The declarations that kernels of a program need, by symbol. */
    static Map<String, String> declarations(Program program, int vectorBits) {
        return dtypes(program).stream().collect(Collectors.toMap(t -> "@" + name(t, vectorBits),
                t -> "declare " + declaration(t, vectorBits) + "\n"));
    }

    /** Tells {@code outside} of the functions that kernels of a program call. */
    static void tell(Program program, Outside outside, int vectorBits) {
        dtypes(program).forEach(t -> outside.share(name(t, vectorBits),
                declaration(t, vectorBits), () -> module(t, vectorBits)));
    }

    /** The module that defines the function for a dtype. */
    static LlvmModule module(DType t, int vectorBits) {
        return new LlvmModule(List.of(new LlvmModule.Text(text(t, vectorBits)
                + Attributes.text(vectorBits), LlvmModule.Kind.LOOPS)), Map.of(), Map.of());
    }

    private static String text(DType t, int vectorBits) {
        int bits = Types.bits(t);
        int lanes = vectorBits / bits;
        int most = vectorBits >= COMPRESS ? MOST : MOST_NARROW;
        StringBuilder networks = new StringBuilder();
        StringBuilder dispatch = new StringBuilder();
        for (int r = 2; r <= most; r *= 2) {
            networks.append(SortNetwork.function("damo.network." + r, bits, lanes, r));
            dispatch.append("  %fits").append(r).append(" = icmp sle i64 %n, ").append(r * lanes)
                    .append("\n  br i1 %fits").append(r).append(", label %net").append(r)
                    .append(", label %over").append(r).append("\nnet").append(r)
                    .append(":\n  call void @damo.network.").append(r)
                    .append("(ptr %p, i64 %n)\n  ret void\nover").append(r).append(":\n");
        }
        dispatch.append("  ret void");
        String least = Long.toString(bits == Long.SIZE ? Long.MIN_VALUE : Integer.MIN_VALUE);
        String largest = Long.toString(bits == Long.SIZE ? Long.MAX_VALUE : Integer.MAX_VALUE);
        return (TEMPLATE + networks)
                .replace("{iota}", SortNetwork.list(lanes, i -> "i32 " + i))
                .replace("{partition}", vectorBits >= COMPRESS ? SPLIT_VECTORS : SPLIT_ELEMENTS)
                .replace("{networks}", dispatch).replace("{name}", name(t, vectorBits))
                .replace("{T}", "i" + bits).replace("{V}", "<{W} x i" + bits + ">")
                .replace("{M}", "<{W} x i1>").replace("{S}", "v{W}i" + bits)
                .replace("{W}", Integer.toString(lanes)).replace("{B}", Integer.toString(t.bytes()))
                .replace("{MIN}", least).replace("{MAX}", largest)
                .replace("{base}", Integer.toString(most * lanes))
                .replace("{few}", Integer.toString(FEW * lanes))
                .replace("{many}", Integer.toString(MANY * lanes))
                .replace("{long}", Integer.toString(LONG));
    }
}
