package damo.lib;

import damo.DamoException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The BLAS library of this process: MKL when the class path has it for this machine, else OpenBLAS;
 * the system property {@code damo.blas} ({@code mkl} or {@code openblas}) forces one. Integers of
 * the interface are 32 bits wide. Loaded on first use and never unloaded.
 */
public final class Blas {
    private static final String PRESET = "-1.5.12, classifier " + Natives.platform();
    private static final int MKL_LP64 = 0;
    private static final int MKL_INTEL_THREADS = 0;
    private static final int TEXT_BYTES = 1024;
    private static final Lazy<Blas> CHOSEN = new Lazy<>(Blas::choose);
    private static volatile Blas opened;

    private final String name;
    private final String version;
    private final SymbolLookup symbols;
    private final MethodHandle setThreads;
    private final MethodHandle getThreads;

    private Blas(String name, SymbolLookup symbols, String setter, String getter, String version) {
        this.name = name;
        this.symbols = symbols;
        this.version = version;
        FunctionDescriptor takesInt = FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT);
        this.setThreads = handle(symbols, setter, takesInt);
        this.getThreads = handle(symbols, getter, FunctionDescriptor.of(ValueLayout.JAVA_INT));
    }

    /**
     * The library in use. Throws kind {@code "missing-library"} when there is none,
     * {@code "bad-property"} when {@code damo.blas} names an unknown one.
     */
    public static Blas get() {
        return CHOSEN.get();
    }

    /**
     * Begins to load the library that {@link #get} gives, in a thread of its own, so that the
     * caller can do other work meanwhile. A failure is left to {@link #get}.
     */
    public static void preload() {
        if (!CHOSEN.made()) {
            Thread.ofPlatform().daemon().name("damo-blas").start(() -> {
                try {
                    CHOSEN.get();
                } catch (DamoException e) {
                    // The thread that needs the library meets the same failure, and reports it.
                    return;
                }
            });
        }
    }

    /** Opens {@code "mkl"} or {@code "openblas"}, whatever {@link #get} chose; throws like it. */
    public static Blas load(String library) {
        return switch (library) {
            case "mkl" -> mkl();
            case "openblas" -> openblas();
            default -> throw new DamoException("bad-property",
                    "damo.blas must be mkl or openblas, not " + library);
        };
    }

    /** {@code "mkl"} or {@code "openblas"}. */
    public String name() {
        return name;
    }

    /** The library's own words about its version. */
    public String version() {
        return version;
    }

    /**
     * The address of a function, such as {@code "cblas_sgemm"}. Throws kind {@code
     * "missing-library"} when the library does not have it.
     */
    public MemorySegment address(String function) {
        return find(symbols, function);
    }

    /**
     * Lets the library use up to {@code n} threads a call, from now on, in the whole process;
     * {@link Threads#set} sets it for all of Damo. Throws kind {@code "bad-threads"}.
     */
    public void setThreads(int n) {
        try {
            setThreads.invokeExact(Threads.check(n));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** How many threads a call may use. */
    public int threads() {
        try {
            return (int) getThreads.invokeExact();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /** Sets the number of threads of the library that is in use, if there is one by now. */
    static void tell(int threads) {
        Blas blas = opened;
        if (blas != null) {
            blas.setThreads(threads);
        }
    }

    private static Blas choose() {
        String forced = System.getProperty("damo.blas");
        Blas blas = load(forced != null ? forced
                : Natives.available(mklFiles()) ? "mkl" : "openblas");
        opened = blas;
        for (int n = 0; n != Threads.get();) {
            n = Threads.get();
            blas.setThreads(n);
        }
        return blas;
    }

    /**
     * MKL ends the process when it lacks the kernels for the CPU: all it may choose are unpacked.
     */
    private static Natives.Group mklFiles() {
        List<String> files = new ArrayList<>(List.of("libmkl_rt.so.2", "libiomp5.so",
                "libmkl_core.so.2", "libmkl_intel_lp64.so.2", "libmkl_intel_thread.so.2",
                "libmkl_def.so.2"));
        String flags = cpuFlags();
        files.add(flags.contains(" avx2 ") ? "libmkl_avx2.so.2" : "libmkl_mc3.so.2");
        if (flags.contains(" avx512f ")) {
            files.add("libmkl_avx512.so.2");
        }
        return new Natives.Group("org/bytedeco/mkl", files,
                "org.bytedeco/mkl 2025.2" + PRESET + "-redist");
    }

    private static String cpuFlags() {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("flags")).findFirst().orElse("") + " ";
        } catch (IOException e) {
            return " avx2 avx512f ";
        }
    }

    private static Blas mkl() {
        Natives.Group group = mklFiles();
        Path folder = Natives.unpack(group);
        Loader.checkRoom(folder, group.files());
        soonAsleep(Natives.open(folder.resolve("libiomp5.so")));
        SymbolLookup symbols = Natives.open(folder.resolve("libmkl_rt.so.2"));
        set(symbols, "MKL_Set_Interface_Layer", MKL_LP64);
        set(symbols, "MKL_Set_Threading_Layer", MKL_INTEL_THREADS);
        // Otherwise MKL may decide to use fewer threads than it was told to.
        set(symbols, "MKL_Set_Dynamic", 0);
        return new Blas("mkl", symbols, "MKL_Set_Num_Threads", "MKL_Get_Max_Threads",
                mklVersion(symbols));
    }

    /** Lets threads of OpenMP spin for a millisecond after a loop, not for 200, unless told. */
    private static void soonAsleep(SymbolLookup openmp) {
        if (System.getenv("KMP_BLOCKTIME") != null) {
            return;
        }
        MethodHandle handle = handle(openmp, "kmp_set_defaults",
                FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            handle.invokeExact(arena.allocateFrom("KMP_BLOCKTIME=1"));
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static String mklVersion(SymbolLookup symbols) {
        MethodHandle handle = handle(symbols, "MKL_Get_Version_String",
                FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(TEXT_BYTES);
            handle.invokeExact(text, TEXT_BYTES - 1);
            return text.getString(0).strip();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static Blas openblas() {
        Path folder = Natives.unpack(new Natives.Group("org/bytedeco/openblas",
                List.of("libopenblas.so.0", "libgfortran.so.5", "libquadmath.so.0",
                        "libgcc_s.so.1"), "org.bytedeco/openblas 0.3.30" + PRESET));
        for (String needed : List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5")) {
            Natives.open(folder.resolve(needed));
        }
        SymbolLookup symbols = Natives.open(folder.resolve("libopenblas.so.0"));
        return new Blas("openblas", symbols, "openblas_set_num_threads",
                "openblas_get_num_threads", openblasVersion(symbols));
    }

    @SuppressWarnings("restricted")
    private static String openblasVersion(SymbolLookup symbols) {
        MethodHandle handle = handle(symbols, "openblas_get_config",
                FunctionDescriptor.of(ValueLayout.ADDRESS.withTargetLayout(
                        MemoryLayout.sequenceLayout(TEXT_BYTES, ValueLayout.JAVA_BYTE))));
        try {
            return ((MemorySegment) handle.invokeExact()).getString(0).strip();
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static void set(SymbolLookup symbols, String function, int argument) {
        MethodHandle handle = handle(symbols, function,
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        try {
            int ignored = (int) handle.invokeExact(argument);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static MemorySegment find(SymbolLookup symbols, String function) {
        return symbols.find(function).orElseThrow(() -> new DamoException("missing-library",
                "the BLAS library has no function " + function, Map.of("function", function)));
    }

    @SuppressWarnings("restricted")
    private static MethodHandle handle(SymbolLookup symbols, String function,
                                       FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(find(symbols, function), type);
    }

    private static DamoException unexpected(Throwable e) {
        return new DamoException("internal", "a call into the BLAS library failed: " + e,
                Map.of(), e);
    }
}
