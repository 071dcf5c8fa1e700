package damo.runtime;

import damo.edn.Edn;
import damo.edn.Edn.Keyword;
import damo.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * Writes model files: all or nothing, an old file of that name staying as it was when something
 * fails.
 */
final class ModelWriter {
    /**
     * Buffers address at most 2 GiB, and the JDK copies large heap buffers: write in such pieces.
     */
    private static final long CHUNK = 1L << 26;

    private final List<MemorySegment> sections = new ArrayList<>();

    private ModelWriter() { }

    /**
     * Writes the model; the states are those of one moment, whatever calls run meanwhile.
     *
     * @throws damo.DamoException "cannot-write" when the system refuses; no debris is left then
     */
    static void write(Path path, Model model) {
        ModelWriter writer = new ModelWriter();
        List<Tensor> values = StateLocks.copies(List.copyOf(model.states().values()));
        try {
            writer.writeAtomically(path, writer.manifest(model, values));
        } catch (IOException e) {
            throw ModelFile.failed("cannot-write", "write", path, e);
        } finally {
            values.forEach(Tensor::close);
        }
    }

    private byte[] manifest(Model model, List<Tensor> values) {
        List<Object> programs = new ArrayList<>();
        model.programs().forEach((name, text) -> {
            Map<Object, Object> entry = section(name,
                    MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8)));
            if (model.info(name) != null) {
                entry.put(new Keyword("info"), model.info(name));
            }
            entry.put(new Keyword("downcast"), model.downcasts(name));
            programs.add(entry);
        });
        List<Object> states = new ArrayList<>();
        model.states().forEach((name, s) -> {
            Tensor value = values.get(states.size());
            Map<Object, Object> entry = section(name, value.segment());
            entry.put(new Keyword("dtype"), new Keyword(s.dtype().label()));
            entry.put(new Keyword("shape"), Arrays.stream(value.shape()).boxed().toList());
            List<Object> free = new ArrayList<>();
            for (boolean f : s.free()) {
                free.add(f);
            }
            entry.put(new Keyword("free"), free);
            states.add(entry);
        });
        Map<Object, Object> top = new LinkedHashMap<>();
        top.put(new Keyword("damo/model"), (long) ModelFile.VERSION);
        top.put(new Keyword("programs"), programs);
        top.put(new Keyword("states"), states);
        return Edn.write(top).getBytes(StandardCharsets.UTF_8);
    }

    private Map<Object, Object> section(String name, MemorySegment data) {
        sections.add(data);
        Map<Object, Object> entry = new LinkedHashMap<>();
        entry.put(new Keyword("name"), name);
        entry.put(new Keyword("bytes"), data.byteSize());
        CRC32C crc = new CRC32C();
        for (long at = 0; at < data.byteSize(); at += CHUNK) {
            crc.update(chunk(data, at));
        }
        entry.put(new Keyword("crc32c"), crc.getValue());
        return entry;
    }

    private void writeAtomically(Path target, byte[] manifest) throws IOException {
        Path path = Destination.of(target);
        Path temporary = path.resolveSibling("." + path.getFileName() + "." + UUID.randomUUID()
                + ".tmp");
        try {
            try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW,
                    StandardOpenOption.WRITE)) {
                writeAll(out, manifest);
                out.force(true);
            }
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        forceFolder(path.getParent());
    }

    private void writeAll(FileChannel out, byte[] manifest) throws IOException {
        long total = ModelFile.HEADER + ModelFile.padded(manifest.length);
        for (MemorySegment s : sections) {
            total += ModelFile.padded(s.byteSize());
        }
        MemorySegment header = MemorySegment.ofBuffer(ModelFile.encode(
                new ModelFile.Header(total, manifest.length, ModelFile.crc(manifest))));
        writePadded(out, header);
        writePadded(out, MemorySegment.ofArray(manifest));
        for (MemorySegment s : sections) {
            writePadded(out, s);
        }
    }

    private static void writePadded(FileChannel out, MemorySegment data) throws IOException {
        for (long at = 0; at < data.byteSize(); at += CHUNK) {
            writeFully(out, chunk(data, at));
        }
        int padding = (int) (ModelFile.padded(data.byteSize()) - data.byteSize());
        writeFully(out, ByteBuffer.allocate(padding));
    }

    private static ByteBuffer chunk(MemorySegment data, long at) {
        return data.asSlice(at, Math.min(CHUNK, data.byteSize() - at)).asByteBuffer();
    }

    private static void writeFully(FileChannel out, ByteBuffer data) throws IOException {
        while (data.hasRemaining()) {
            out.write(data);
        }
    }

    private static void forceFolder(Path folder) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            // Some systems cannot open folders. The file is complete; only its name may come late.
            return;
        }
    }
}
