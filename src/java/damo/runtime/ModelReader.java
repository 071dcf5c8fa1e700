package damo.runtime;

import damo.DamoException;
import damo.Limits;
import damo.edn.Edn;
import damo.edn.Edn.Keyword;
import damo.tensor.DType;
import damo.tensor.Tensor;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * Reads model files and believes nothing: every length is checked against the length of the file
 * before memory is asked for, every byte is covered by a checksum or must be zero.
 */
final class ModelReader {
    private static final long CHUNK = 1L << 26;
    private static final int MAX_RANK = Limits.RANK.most();

    private final Path path;
    private final FileChannel in;
    private final long end;
    private long at;
    private final Map<String, String> programs = new LinkedHashMap<>();
    private final Map<String, String> info = new LinkedHashMap<>();
    private final Set<String> downcast = new HashSet<>();
    private final Map<String, State> states = new LinkedHashMap<>();

    private ModelReader(Path path, FileChannel in) throws IOException {
        this.path = path;
        this.in = in;
        this.end = in.size();
    }

    /**
     * The model in that file, its programs checked, none compiled.
     *
     * @throws DamoException "bad-file" saying what is wrong, "cannot-read", "bad-program",
     * "out-of-memory"
     */
    static Model read(Path path, OpKernels kernels) {
        try (FileChannel in = FileChannel.open(path, StandardOpenOption.READ)) {
            ModelReader reader = new ModelReader(path, in);
            try {
                reader.readAll();
                return Model.owning(reader.programs, reader.states, reader.info,
                        reader.downcast, kernels);
            } catch (Throwable e) {
                reader.states.values().forEach(State::close);
                throw e;
            }
        } catch (EOFException e) {
            throw ModelFile.bad(path, "it ends too early, at byte " + e.getMessage());
        } catch (IOException e) {
            throw ModelFile.failed("cannot-read", "read", path, e);
        }
    }

    private void readAll() throws IOException {
        if (end < ModelFile.HEADER) {
            throw bad("it is " + end + " bytes long, less than the header of a Damo model file");
        }
        ByteBuffer header = ByteBuffer.allocate(ModelFile.HEADER);
        readPadded(MemorySegment.ofBuffer(header));
        ModelFile.Header h = ModelFile.decode(path, header);
        if (h.fileBytes() != end) {
            throw bad("it is " + end + " bytes long, but was written with " + h.fileBytes()
                    + (end < h.fileBytes() ? ": it was cut short" : ""));
        }
        byte[] manifest = readBytes(h.manifestBytes(), "manifest");
        if (ModelFile.crc(manifest) != h.manifestCrc()) {
            throw bad("its manifest is damaged (checksum)");
        }
        Object form;
        try {
            form = Edn.read(text(manifest, "manifest"));
        } catch (DamoException e) {
            throw new DamoException("bad-file", "cannot use " + path + ": its manifest is no EDN: "
                    + e.getMessage(), Map.of("file", path.toString()), e);
        }
        Map<?, ?> top = map(form, "the manifest");
        if (!Long.valueOf(ModelFile.VERSION).equals(top.get(new Keyword("damo/model")))) {
            throw bad("its manifest lacks :damo/model " + ModelFile.VERSION);
        }
        for (Object entry : list(top, "programs")) {
            readProgram(map(entry, "an entry of :programs"));
        }
        for (Object entry : list(top, "states")) {
            readState(map(entry, "an entry of :states"));
        }
        if (at != end) {
            throw bad("it has " + (end - at) + " bytes more than its manifest tells of");
        }
    }

    private void readProgram(Map<?, ?> entry) throws IOException {
        String name = string(entry, "name");
        byte[] bytes = readBytes(number(entry, "bytes"), "program " + name);
        if (Integer.toUnsignedLong(ModelFile.crc(bytes)) != number(entry, "crc32c")) {
            throw bad("its program " + name + " is damaged (checksum)");
        }
        if (programs.put(name, text(bytes, "program " + name)) != null) {
            throw bad("it has two programs named " + name);
        }
        if (Boolean.TRUE.equals(entry.get(new Keyword("downcast")))) {
            downcast.add(name);
        }
        if (entry.get(new Keyword("info")) != null) {
            info.put(name, string(entry, "info"));
        }
    }

    private void readState(Map<?, ?> entry) throws IOException {
        String name = string(entry, "name");
        if (!(entry.get(new Keyword("dtype")) instanceof Keyword k) || DType.of(k.name()) == null) {
            throw bad("its state " + name + " has no known :dtype");
        }
        DType dtype = DType.of(k.name());
        List<?> free = list(entry, "free");
        long[] shape = shape(list(entry, "shape"), name);
        boolean[] flags = new boolean[shape.length];
        for (int axis = 0; axis < shape.length; axis++) {
            if (free.size() != shape.length || !(free.get(axis) instanceof Boolean)) {
                throw bad("its state " + name + " needs one true or false in :free for each axis");
            }
            flags[axis] = (Boolean) free.get(axis);
        }
        checkBytes(number(entry, "bytes"), dtype, shape, name);
        Tensor value = Tensor.uninitialized(dtype, shape);
        State old = states.put(name, State.owning(name, value, flags));
        if (old != null) {
            old.close();
            throw bad("it has two states named " + name);
        }
        readElements(value, number(entry, "crc32c"), name);
    }

    private void checkBytes(long bytes, DType dtype, long[] shape, String name) {
        boolean empty = false;
        for (long extent : shape) {
            empty |= extent == 0;
        }
        long expected = empty ? 0 : dtype.bytes();
        for (long extent : shape) {
            if (expected != 0 && extent > (end - at) / expected) {
                throw bad("its state " + name
                        + " claims more elements than the file has bytes left");
            }
            expected *= extent;
        }
        if (bytes != expected) {
            throw bad("its state " + name + " has " + bytes + " bytes where its shape takes "
                    + expected);
        }
    }

    private void readElements(Tensor value, long crc, String name) throws IOException {
        MemorySegment data = value.segment();
        readPadded(data);
        CRC32C sum = new CRC32C();
        for (long i = 0; i < data.byteSize(); i += CHUNK) {
            sum.update(data.asSlice(i, Math.min(CHUNK, data.byteSize() - i)).asByteBuffer());
        }
        if (sum.getValue() != crc) {
            throw bad("its state " + name + " is damaged (checksum)");
        }
        if (value.dtype() == DType.BOOL) {
            for (long i = 0; i < data.byteSize(); i++) {
                if ((data.get(ValueLayout.JAVA_BYTE, i) & ~1) != 0) {
                    throw bad("its state " + name + " has a :bool that is neither 0 nor 1");
                }
            }
        }
    }

    private byte[] readBytes(long length, String what) throws IOException {
        if (length < 0 || length > end - at || length > Integer.MAX_VALUE - 64) {
            throw bad("its " + what + " claims " + length + " bytes, but " + (end - at)
                    + " are left");
        }
        byte[] bytes = new byte[(int) length];
        readPadded(MemorySegment.ofArray(bytes));
        return bytes;
    }

    /**
     * Fills the segment from the file, and checks that zeros follow up to the next multiple of 64.
     */
    private void readPadded(MemorySegment to) throws IOException {
        long bytes = to.byteSize();
        for (long i = 0; i < bytes; i += CHUNK) {
            readFully(to.asSlice(i, Math.min(CHUNK, bytes - i)).asByteBuffer());
        }
        ByteBuffer padding = ByteBuffer.allocate((int) (ModelFile.padded(bytes) - bytes));
        readFully(padding);
        for (byte b : padding.array()) {
            if (b != 0) {
                throw bad("it has data in the padding before byte " + at);
            }
        }
    }

    private void readFully(ByteBuffer to) throws IOException {
        while (to.hasRemaining()) {
            int n = in.read(to);
            if (n < 0) {
                throw new EOFException(String.valueOf(at));
            }
            at += n;
        }
    }

    private String text(byte[] bytes, String what) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw bad("its " + what + " is not UTF-8 text");
        }
    }

    private Map<?, ?> map(Object form, String what) {
        if (form instanceof Map<?, ?> map) {
            return map;
        }
        throw bad(what + " is no map");
    }

    private List<?> list(Map<?, ?> map, String key) {
        if (map.get(new Keyword(key)) instanceof List<?> list) {
            return list;
        }
        throw bad("its manifest has no list :" + key + " where one is expected");
    }

    private String string(Map<?, ?> map, String key) {
        if (map.get(new Keyword(key)) instanceof String s) {
            return s;
        }
        throw bad("its manifest has no string :" + key + " where one is expected");
    }

    private long number(Map<?, ?> map, String key) {
        if (map.get(new Keyword(key)) instanceof Long n) {
            return n;
        }
        throw bad("its manifest has no integer :" + key + " where one is expected");
    }

    private long[] shape(List<?> extents, String name) {
        if (extents.size() > MAX_RANK) {
            throw bad("its state " + name + " has " + extents.size() + " axes");
        }
        long[] shape = new long[extents.size()];
        for (int axis = 0; axis < shape.length; axis++) {
            if (!(extents.get(axis) instanceof Long n) || n < 0) {
                throw bad("its state " + name + " has the shape " + extents);
            }
            shape[axis] = n;
        }
        return shape;
    }

    private DamoException bad(String why) {
        return ModelFile.bad(path, why);
    }
}
