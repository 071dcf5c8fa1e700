package damo.runtime;

import damo.DamoException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * The layout of a model file, little-endian, every part padded with zeros to 64 bytes:
 *
 * <pre>
 *  0  magic, 8 bytes: 89 "DAMO" 0D 0A 1A, so that a transfer as text shows
 *  8  u32 format version     12  u32 CRC32C of these 64 bytes, with 0 here
 * 16  u64 length of the file 24  u64 length of the manifest   32  u32 CRC32C of the manifest
 * 64  manifest: EDN, one map {:damo/model 1 :programs [..] :states [..]}
 *  .  sections in the manifest's order: program texts (EDN), then the elements of the states
 * </pre>
 *
 * Each entry of the manifest has the {@code :bytes} and {@code :crc32c} of its section; sections
 * follow each other without gaps, so that there are no offsets to lie about.
 */
final class ModelFile {
    static final int VERSION = 1;
    static final int HEADER = 64;
    private static final long MAGIC = 0x1A0A0D4F4D414489L;
    private static final int CRC_AT = 12;

    private ModelFile() { }

    /** What a header says: lengths in bytes, and the manifest's checksum. */
    record Header(long fileBytes, long manifestBytes, int manifestCrc) { }

    /** The header as the 64 bytes of the file. */
    static ByteBuffer encode(Header h) {
        ByteBuffer b = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
        b.putLong(0, MAGIC).putInt(8, VERSION);
        b.putLong(16, h.fileBytes).putLong(24, h.manifestBytes).putInt(32, h.manifestCrc);
        return b.putInt(CRC_AT, crc(b.array()));
    }

    /**
     * The header that these 64 bytes hold; refused with kind "bad-file" unless all is as it must
     * be.
     */
    static Header decode(Path path, ByteBuffer b) {
        b.order(ByteOrder.LITTLE_ENDIAN);
        if (b.getLong(0) != MAGIC) {
            throw bad(path, "it does not begin as a Damo model file does");
        }
        int version = b.getInt(8);
        int stated = b.getInt(CRC_AT);
        if (crc(b.putInt(CRC_AT, 0).array()) != stated) {
            throw bad(path, version == VERSION ? "its header is damaged (checksum)"
                    : "its header says format " + version + ", and is damaged or newer than format "
                    + VERSION + ", which this Damo reads");
        }
        if (version != VERSION) {
            throw bad(path, "it has format " + version + ", this Damo reads format " + VERSION
                    + "; load it with the Damo that wrote it, or a newer one");
        }
        for (int i = 36; i < HEADER; i++) {
            if (b.get(i) != 0) {
                throw bad(path, "its header has data where format " + VERSION + " has none");
            }
        }
        return new Header(b.getLong(16), b.getLong(24), b.getInt(32));
    }

    /** The length rounded up to the next multiple of 64. */
    static long padded(long bytes) {
        return Math.addExact(bytes, 63) & -64;
    }

    /** The CRC32C of the bytes. */
    static int crc(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** The exception for a file that is not as it must be. */
    static DamoException bad(Path path, String why) {
        return new DamoException("bad-file", "cannot use " + path + ": " + why,
                Map.of("file", path.toString()));
    }

    /** The exception for a file that the system does not let us read or write. */
    static DamoException failed(String kind, String verb, Path path, IOException e) {
        String why = e.getClass().getSimpleName()
                + (e.getMessage() == null ? "" : ": " + e.getMessage());
        return new DamoException(kind, "cannot " + verb + " " + path + ": " + why,
                Map.of("file", path.toString()), e);
    }
}
