package damo.codegen;

import damo.DamoException;
import damo.program.Kernel;
import damo.program.Program;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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

    private final Map<String, String> bodies = new LinkedHashMap<>();
    private final List<String> names = new ArrayList<>();
    private final List<Usage> usages = new ArrayList<>();
    private final List<String> texts = new ArrayList<>();
    private final StringBuilder declarations = new StringBuilder();
    private final Program program;
    private final boolean halves;
    private final Map<String, String> natives;
    private final StringBuilder text = new StringBuilder();
    private MathLibrary library;

    private Kernels(Program program, boolean halves) {
        this.program = program;
        this.halves = halves;
        this.natives = Foreign.nativeDeclarations(program);
        this.library = new MathLibrary(halves);
    }

    /** Those of a program; {@code halves} as for {@link Codegen#module(Program, int, boolean)}. */
    static Kernels of(Program program, Polls polls, boolean halves) {
        Kernels kernels = new Kernels(program, halves);
        for (int i = 0; i < program.kernels().size(); i++) {
            Kernel kernel = program.kernels().get(i);
            Usage usage = Usage.of(kernel, polls.kernel(i));
            kernels.usages.add(usage);
            kernels.add(kernel, usage);
        }
        kernels.finish();
        return kernels;
    }

    /** The name of the function of kernel number i, with {@code @}. */
    String name(int i) {
        return names.get(i);
    }

    /** What that kernel touches. */
    Usage usage(int i) {
        return usages.get(i);
    }

    /** The texts that define all of them, without attributes. */
    List<String> texts() {
        return texts;
    }

    /** The lines that declare them. */
    String declarations() {
        return declarations.toString();
    }

    private void add(Kernel kernel, Usage usage) {
        String body = KernelWriter.write(kernel, usage, library);
        byte[] digest = digest(body);
        String mark = HexFormat.of().formatHex(digest, 0, MARK);
        String name = Names.kernel(kernel.name(), mark);
        while (bodies.containsKey(name) && !bodies.get(name).equals(body)) {
            mark += "+";
            name = Names.kernel(kernel.name(), mark);
        }
        names.add(name);
        if (bodies.put(name, body) == null) {
            declarations.append(KernelWriter.declaration(name, kernel, usage));
            text.append("define hidden ").append(usage.resultType()).append(' ').append(name)
                    .append(body).append('\n');
            if (program.kernels().size() <= APART || digest[0] % TOGETHER == 0
                    || text.length() > LONG) {
                finish();
            }
        }
    }

    /** Ends a text, unless it is empty. */
    private void finish() {
        if (text.isEmpty()) {
            return;
        }
        text.append(library.text());
        List<String> called = natives.entrySet().stream()
                .filter(e -> text.indexOf(e.getKey() + "(") >= 0).map(Map.Entry::getValue).toList();
        texts.add(text.append(String.join("", called)).toString());
        text.setLength(0);
        library = new MathLibrary(halves);
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
