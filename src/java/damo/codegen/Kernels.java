package damo.codegen;

import damo.DamoException;
import damo.program.Kernel;
import damo.program.Program;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The kernels of a program as LLVM functions, in texts each of which is compiled by itself. What a
 * kernel is called follows from what it does, and which kernels share a text follows from what they
 * are: so equal kernels have equal texts in whatever program they stand, and a change of one kernel
 * leaves the texts of others as they were.
 */
final class Kernels {
    /** Programs of more kernels have texts of several: LLVM takes some 2 ms for each text. */
    private static final int APART = 64;
    /** Of their kernels, one in so many is the last one of a text. */
    private static final int TOGETHER = 8;
    /** A text of so many characters is not made longer: some 20 ms of LLVM's work. */
    private static final int LONG = 40_000;
    /** Bytes of a digest in a name. */
    private static final int MARK = 8;

    private final Program program;
    private final int vectorBits;
    /** The declarations of functions outside of kernels that they call, by symbol. */
    private final Map<String, String> callees;
    private final MathLibrary library;
    private final List<Function> functions = new ArrayList<>();
    /** Those that become parts of other functions, and those that are called. */
    private final BitSet inlined = new BitSet();
    private final BitSet called = new BitSet();

    /** A kernel as a function: what stands behind its name, and what tells it from others. */
    private record Function(Kernel kernel, Usage usage, String name, String body, byte[] digest,
                            long length, boolean threads) { }

    private Kernels(Program program, int vectorBits, boolean halves) {
        this.program = program;
        this.vectorBits = vectorBits;
        this.callees = Foreign.nativeDeclarations(program);
        this.callees.putAll(Sorts.declarations(program, vectorBits));
        this.library = new MathLibrary(halves);
    }

    /** Those of a program; the rest as for {@link Codegen#module(Program, int, boolean)}. */
    static Kernels of(Program program, Polls polls, int vectorBits, boolean halves) {
        Kernels kernels = new Kernels(program, vectorBits, halves);
        Map<String, String> bodies = new HashMap<>();
        for (int i = 0; i < program.kernels().size(); i++) {
            kernels.add(program.kernels().get(i), polls.kernel(i), bodies);
        }
        return kernels;
    }

    private void add(Kernel kernel, boolean polls, Map<String, String> bodies) {
        Usage usage = Usage.of(kernel, polls);
        Map<Kernel.For, ParallelLoop> loops = ParallelLoop.of(kernel);
        String body = loops.isEmpty() ? KernelWriter.write(kernel, usage, library, vectorBits)
                : KernelWriter.write(kernel, usage, library, vectorBits, loops);
        byte[] digest = digest(body);
        String mark = HexFormat.of().formatHex(digest, 0, MARK);
        String name = Names.kernel(kernel.name(), mark);
        while (bodies.containsKey(name) && !bodies.get(name).equals(body)) {
            mark += "+";
            name = Names.kernel(kernel.name(), mark);
        }
        bodies.put(name, body);
        functions.add(new Function(kernel, usage, name, body, digest, Work.length(kernel),
                !loops.isEmpty()));
    }

    /** Whether kernel number i may use several threads, and is told how many. */
    boolean threads(int i) {
        return functions.get(i).threads;
    }

    /** Whether kernel number i is worth several threads, whatever the dimensions are. */
    boolean large(int i) {
        Function f = functions.get(i);
        return f.threads && LoopCost.large(f.kernel);
    }

    /** Tells {@code outside} of what the texts of kernels call. */
    void tell(Outside outside, int vectorBits) {
        if (functions.stream().anyMatch(Function::threads)) {
            RangeWriter.tell(outside, vectorBits);
        }
    }

    /** The name of the function of kernel number i, with {@code @}. */
    String name(int i) {
        return functions.get(i).name;
    }

    /** What that kernel touches. */
    Usage usage(int i) {
        return functions.get(i).usage;
    }

    /** How many instructions it is. */
    long length(int i) {
        return functions.get(i).length;
    }

    /** What declares kernel number i, which is called from another text. */
    String declaration(int i) {
        called.set(i);
        Function f = functions.get(i);
        return KernelWriter.declaration(f.name, f.kernel, f.usage, f.threads);
    }

    /** The text of kernel number i as a function of a text that calls it, of which it is a part. */
    String part(int i) {
        inlined.set(i);
        Function f = functions.get(i);
        String body = f.threads ? KernelWriter.write(f.kernel, f.usage, library, vectorBits)
                : f.body;
        return "define internal " + f.usage.resultType() + " " + f.name
                + body.replaceFirst(" #0 \\{", " #1 {") + "\n";
    }

    /** What a text of functions calls: math functions, and declarations of others. */
    String callees(String text) {
        return library.text(text) + RangeWriter.declarations(text)
                + String.join("", callees.entrySet().stream()
                .filter(e -> text.contains(e.getKey() + "(")).map(Map.Entry::getValue).toList());
    }

    /** The texts that define those that are more than parts of others, without attributes. */
    List<String> texts() {
        List<String> texts = new ArrayList<>();
        Set<String> defined = new HashSet<>();
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < functions.size(); i++) {
            Function f = functions.get(i);
            if (inlined.get(i) && !called.get(i) || !defined.add(f.name)) {
                continue;
            }
            text.append("define hidden ").append(f.usage.resultType()).append(' ').append(f.name)
                    .append(f.threads ? RangeWriter.named(f.body, f.name) : f.body).append('\n');
            if (program.kernels().size() <= APART || f.digest[0] % TOGETHER == 0
                    || text.length() > LONG) {
                texts.add(finished(text));
            }
        }
        if (!text.isEmpty()) {
            texts.add(finished(text));
        }
        return texts;
    }

    private String finished(StringBuilder text) {
        String functions = text.toString();
        text.setLength(0);
        return functions + callees(functions);
    }

    private static byte[] digest(String body) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            return sha.digest(body.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new DamoException("internal", "this JVM has no SHA-256", Map.of(), e);
        }
    }
}
