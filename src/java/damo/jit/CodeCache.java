package damo.jit;

import damo.DamoException;
import damo.codegen.LlvmModule;
import damo.lib.Lazy;
import damo.lib.Natives;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/**
 * Machine code that was made before, by what it was made from: the text, the processor, LLVM and
 * its options. It is kept in memory for the functions of this process, and in files for the next
 * one: in the folder {@code code} of the cache that {@link Natives} describes. The system property
 * {@code damo.code-cache} bounds these files, in megabytes, where 0 means none; it is {@code off}
 * when everything shall be compiled. docs/decisions/0030 tells why a file may be trusted.
 */
public final class CodeCache {
    private static final String PROPERTY = "damo.code-cache";
    private static final String OFF = "off";
    private static final long MEGABYTE = 1 << 20;
    private static final String DEFAULT = "128";
    /** How many bytes of objects are kept in memory; less in a small heap. */
    private static final long MEMORY =
            Math.min(32 * MEGABYTE, Runtime.getRuntime().maxMemory() / 16);
    private static final Lazy<CodeCache> FIRST = new Lazy<>(CodeCache::configured);
    private static volatile CodeCache chosen;

    private final boolean off;
    private final long limit;
    private final ObjectFolder folder;
    private final Map<String, byte[]> memory = new LinkedHashMap<>(16, 0.75f, true);
    private long kept;
    private final LongAdder remembered = new LongAdder();
    private final LongAdder loaded = new LongAdder();
    private final LongAdder compiled = new LongAdder();

    /** In a folder of {@code home}, with files of at most so many bytes. */
    public CodeCache(Path home, long limit) {
        this(() -> home, limit, false);
    }

    private CodeCache(Supplier<Path> home, long limit, boolean off) {
        this.off = off;
        this.limit = limit;
        this.folder = new ObjectFolder(home, limit);
    }

    /**
     * How often an object was found in memory, how often in a file, how often it was compiled;
     * where the files lie, how many bytes they may take, and why they are not used, or null;
     * whether nothing is kept.
     */
    public record Report(long remembered, long loaded, long compiled, Path folder, long limit,
                         String refused, boolean off) { }

    /** That of this process. Throws "bad-property" when the property says no number. */
    public static CodeCache get() {
        CodeCache other = chosen;
        return other == null ? FIRST.get() : other;
    }

    /** Begins anew in this process as the system property would, with that value. */
    public static void limit(String megabytes) {
        chosen = of(megabytes);
    }

    private static CodeCache configured() {
        return of(System.getProperty(PROPERTY, DEFAULT));
    }

    private static CodeCache of(String megabytes) {
        boolean off = megabytes.equals(OFF);
        return new CodeCache(Natives::cache, off ? 0 : bytes(megabytes), off);
    }

    private static long bytes(String megabytes) {
        if (!megabytes.matches("[0-9]{1,9}")) {
            throw new DamoException("bad-property", "the limit of the cache of machine code, the "
                    + "system property " + PROPERTY + ", is \"off\" or a number of megabytes, not "
                    + megabytes, Map.of("property", PROPERTY, "value", megabytes));
        }
        return Long.parseLong(megabytes) * MEGABYTE;
    }

    /** What it has done so far. */
    public Report report() {
        return new Report(remembered.sum(), loaded.sum(), compiled.sum(), folder.path(), limit,
                folder.refused(), off);
    }

    /** The object file of a text, found or compiled. Throws kind "codegen". */
    public byte[] object(LlvmModule.Text text) {
        if (off) {
            compiled.increment();
            return Compiler.object(text);
        }
        String key = key(text);
        byte[] object = recall(key);
        if (object != null) {
            remembered.increment();
            return object;
        }
        object = fromFile(key);
        if (object != null) {
            loaded.increment();
        } else {
            object = Compiler.object(text);
            compiled.increment();
            if (limit > 0) {
                folder.store(key, object);
            }
        }
        remember(key, object);
        return object;
    }

    private byte[] fromFile(String key) {
        return limit > 0 ? folder.load(key) : null;
    }

    /** The digest of all that an object depends on. */
    private static String key(LlvmModule.Text text) {
        MessageDigest digest = ObjectFile.digest();
        Host host = Host.get();
        for (String part : new String[] {ObjectFile.VERSION, Llvm.identity(), host.triple(),
                host.cpu(), host.features(), Tier.of(text).options(), text.ir()}) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            digest.update((bytes.length + "\n").getBytes(StandardCharsets.UTF_8));
            digest.update(bytes);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private synchronized byte[] recall(String key) {
        return memory.get(key);
    }

    private synchronized void remember(String key, byte[] object) {
        byte[] before = memory.put(key, object);
        kept += object.length - (before == null ? 0 : before.length);
        var oldest = memory.entrySet().iterator();
        while (kept > MEMORY && oldest.hasNext()) {
            kept -= oldest.next().getValue().length;
            oldest.remove();
        }
    }
}
