import damo.Damo;
import damo.DamoException;
import damo.runtime.Model;
import damo.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Classifies a digit with a model that {@code bin/damo demo} has trained, with Damo's Java core
 * alone: no Clojure on the class path.
 *
 * <pre>
 * bin/damo java examples/java/ClassifyDigit.java target/demo/model.damo examples/java/digit.pgm
 * </pre>
 * or, without the launcher,
 * <pre>
 * java --enable-native-access=ALL-UNNAMED -cp "$(bin/damo classpath)" \
 *     examples/java/ClassifyDigit.java target/demo/model.damo examples/java/digit.pgm
 * </pre>
 * The digit is a grey picture of 28 by 28 pixels, light ink on a dark ground, in PGM format (P2 or
 * P5), which GIMP, ImageMagick and Netpbm write.
 */
final class ClassifyDigit {
    private static final int SIDE = 28;

    private ClassifyDigit() { }

    public static void main(String[] args) {
        if (args.length != 2) {
            System.err.println("usage: ClassifyDigit MODEL DIGIT.pgm");
            System.exit(2);
        }
        try {
            print(classify(Path.of(args[0]), readPgm(Path.of(args[1]))));
        } catch (IOException | IllegalArgumentException | DamoException e) {
            System.err.println("ClassifyDigit: " + e.getMessage());
            System.exit(1);
        }
    }

    /** The probabilities of the ten digits, given the pixels of one, 0 for ground to 1 for ink. */
    private static float[] classify(Path file, float[] pixels) {
        try (Model model = Damo.load(file);
                Tensor batch = Tensor.of(new float[][] {pixels});
                Tensor probabilities = model.function("predict").call(batch)[0]) {
            return (float[]) probabilities.toJavaArray();
        }
    }

    private static void print(float[] probabilities) {
        int best = 0;
        for (int digit = 0; digit < probabilities.length; digit++) {
            String bar = "#".repeat(Math.round(40 * probabilities[digit]));
            System.out.printf("%d  %.4f  %s%n", digit, probabilities[digit], bar);
            best = probabilities[digit] > probabilities[best] ? digit : best;
        }
        System.out.println("this is a " + best);
    }

    /** The pixels of a PGM file, scaled to 0 to 1. */
    private static float[] readPgm(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        boolean text = startsWith(bytes, "P2");
        if (!text && !startsWith(bytes, "P5")) {
            throw new IllegalArgumentException(
                    file + " is no PGM picture: it must start with P2 or P5");
        }
        List<Integer> numbers = new ArrayList<>();
        int end = readNumbers(bytes, 2, text ? Integer.MAX_VALUE : 3, numbers);
        for (int i = end + 1; !text && i < bytes.length; i++) {
            numbers.add(Byte.toUnsignedInt(bytes[i]));
        }
        if (numbers.size() != 3 + SIDE * SIDE || numbers.get(0) != SIDE || numbers.get(1) != SIDE) {
            throw new IllegalArgumentException(
                    file + " must hold " + SIDE + " x " + SIDE + " pixels");
        }
        float[] pixels = new float[SIDE * SIDE];
        for (int i = 0; i < pixels.length; i++) {
            pixels[i] = numbers.get(3 + i) / (float) numbers.get(2);
        }
        return pixels;
    }

    private static boolean startsWith(byte[] bytes, String magic) {
        return new String(bytes, StandardCharsets.US_ASCII).startsWith(magic);
    }

    /** Reads at most {@code limit} numbers from {@code i} on; returns where the last one ends. */
    private static int readNumbers(byte[] bytes, int i, int limit, List<Integer> numbers) {
        while (i < bytes.length && numbers.size() < limit) {
            if (bytes[i] == '#') {
                while (i < bytes.length && bytes[i] != '\n') {
                    i++;
                }
            } else if (bytes[i] >= '0' && bytes[i] <= '9') {
                int value = 0;
                for (; i < bytes.length && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
                    value = Math.min(65535, 10 * value + bytes[i] - '0');
                }
                numbers.add(value);
            } else {
                i++;
            }
        }
        return i;
    }
}
