package damo;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The texts that lie beside the code on the class path: tables, templates, advice. */
public final class Resources {
    private static final String FOLDER = "/damo/";

    private Resources() { }

    /**
     * The text of a file of the folder resources/damo. Throws kind "missing-resource".
     */
    public static String text(String name) {
        String text = find(name);
        if (text == null) {
            throw new DamoException("missing-resource", "the class path lacks the resource damo/"
                    + name + "; add Damo's resources folder or its jar", Map.of("resource", name));
        }
        return text;
    }

    /** The same, or null when there is no such file. */
    static String find(String name) {
        try (InputStream in = Resources.class.getResourceAsStream(FOLDER + name)) {
            return in == null ? null : new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
