package damo.codegen;

/**
 * The machine that code is written for.
 *
 * @param vectorBits the width of its vectors in bits
 * @param halves whether it has instructions for f16; without, integers do their work
 * @param dots whether it has instructions for pairs of bf16, as AVX512-BF16 has them
 */
public record Target(int vectorBits, boolean halves, boolean dots) { }
