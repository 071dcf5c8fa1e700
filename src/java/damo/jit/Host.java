package damo.jit;

import damo.DamoException;
import damo.codegen.Target;
import damo.lib.Lazy;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The processor that this process runs on, as LLVM sees it; found out once. The property
 * {@code damo.vector-bits}, 512, 256 or 128, bounds what is used of an x86-64: with less than it
 * has, code is made for {@code x86-64-v3} (AVX2) or {@code x86-64-v2} (SSE4), as other processors
 * have it.
 */
record Host(String triple, String cpu, String features, long target) {
    private static final String PROPERTY = "damo.vector-bits";
    private static final String OF_512 = "avx512.*|avx10.*|evex512|amx-avx512";
    private static final String OF_256 = OF_512 + "|avx.*|fma4?|f16c|xop|vaes|vpclmulqdq";
    private static final int RELOCATION_PIC = 2;
    private static final int MODEL_SMALL = 3;
    private static final Lazy<Host> FOUND = new Lazy<>(Host::find);

    /**
     * This machine. Throws kind {@code "codegen"} when the library has no code generator for it.
     */
    static Host get() {
        return FOUND.get();
    }

    private static Host find() {
        String arch = System.getProperty("os.arch");
        String backend = switch (arch) {
            case "amd64", "x86_64" -> "X86";
            case "aarch64", "arm64" -> "AArch64";
            default -> throw new DamoException("codegen", "no code generator for processor " + arch
                    + "; x86-64 and AArch64 are supported", Map.of("arch", arch));
        };
        for (String part : new String[] {"TargetInfo", "Target", "TargetMC", "AsmPrinter"}) {
            Llvm.call("LLVMInitialize" + backend + part);
        }
        String triple = Llvm.takeMessage(Llvm.call("LLVMGetDefaultTargetTriple"));
        String cpu = Llvm.takeMessage(Llvm.call("LLVMGetHostCPUName"));
        String features = Llvm.takeMessage(Llvm.call("LLVMGetHostCPUFeatures"));
        // f16 is a dtype of memory, which F16C converts. With AVX512-FP16, LLVM 20 compiled a loop
        // around incomplete gamma functions of f16 to one that gives the same number everywhere.
        Host whole = new Host(triple, cpu, features.replace("+avx512fp16", "-avx512fp16"),
                target(triple));
        return whole.within(System.getProperty(PROPERTY, "512"));
    }

    /** This processor without what it has for wider vectors. */
    private Host within(String bits) {
        if (!bits.matches("512|256|128")) {
            throw new DamoException("bad-data", PROPERTY + " is 512, 256 or 128; got " + bits,
                    Map.of("given", bits));
        }
        int most = Integer.parseInt(bits);
        return most >= vectorBits() ? this
                : new Host(triple, most == 256 ? "x86-64-v3" : "x86-64-v2",
                        without(most == 256 ? OF_512 : OF_256), target);
    }

    private String without(String pattern) {
        return Arrays.stream(features.split(","))
                .map(f -> f.substring(1).matches(pattern) ? "-" + f.substring(1) : f)
                .collect(Collectors.joining(","));
    }

    private static long target(String triple) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment message = arena.allocate(ValueLayout.JAVA_LONG);
            if (Llvm.callInt("LLVMGetTargetFromTriple", Llvm.string(arena, triple),
                    result.address(), message.address()) != 0) {
                throw Llvm.failure("find a target for " + triple,
                        Llvm.takeMessage(message.get(ValueLayout.JAVA_LONG, 0)));
            }
            return result.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /**
     * A fresh target machine for a level of optimisation, 0 to 3, to be disposed of by the caller;
     * not to be shared between threads.
     */
    long machine(int level) {
        try (Arena arena = Arena.ofConfined()) {
            long machine = Llvm.call("LLVMCreateTargetMachine", target, Llvm.string(arena, triple),
                    Llvm.string(arena, cpu), Llvm.string(arena, features),
                    level, RELOCATION_PIC, MODEL_SMALL);
            if (machine == 0) {
                throw Llvm.failure("make a target machine", triple + " " + cpu);
            }
            return machine;
        }
    }

    /** Whether the processor converts between f32 and f16: AArch64 always does. */
    boolean halves() {
        return features.contains("+f16c") || triple.startsWith("aarch64")
                || triple.startsWith("arm64");
    }

    /** Whether it multiplies pairs of bf16, in vectors of any width. */
    private boolean dots() {
        return features.contains("+avx512bf16") && features.contains("+avx512vl");
    }

    /** What the code generator is told of it. */
    Target forCode() {
        return new Target(vectorBits(), halves(), dots());
    }

    /** Width in bits of the vectors that loops should use. */
    int vectorBits() {
        return features.contains("+avx512f") ? 512 : features.contains("+avx2") ? 256 : 128;
    }
}
