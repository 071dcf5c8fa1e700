package damo.jit;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * How an object lies in a file: a mark of the format, the key under which it was stored, the digest
 * of the object, the object. What was damaged, cut short or renamed is told from what was written.
 */
final class ObjectFile {
    /** The version of the format, and of all that a key does not tell; the first word of a key. */
    static final String VERSION = "damo-object-1\n";
    private static final byte[] MARK = ascii(VERSION);
    private static final int DIGEST = 32;
    private static final int HEAD = MARK.length + 2 * DIGEST;

    private ObjectFile() { }

    /** The contents of a file for that key. */
    static byte[] encode(String key, byte[] object) {
        return ByteBuffer.allocate(HEAD + object.length).put(MARK)
                .put(HexFormat.of().parseHex(key)).put(sha256(object)).put(object).array();
    }

    /** The object in such contents; null when it is not what was stored under that key. */
    static byte[] decode(String key, byte[] contents) {
        if (contents.length < HEAD) {
            return null;
        }
        byte[] object = Arrays.copyOfRange(contents, HEAD, contents.length);
        return Arrays.equals(encode(key, object), contents) ? object : null;
    }

    /** A digest that takes more. */
    static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this JVM has no SHA-256", e);
        }
    }

    private static byte[] sha256(byte[] bytes) {
        return digest().digest(bytes);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
