package damo.verify;

import java.util.List;

/**
 * A program with its dimensions bound: what a call needs to know about memory. Made by
 * {@link Bindings#bind}, so every index of the program is known to be inside its buffer for these
 * dimensions. The arrays must not be changed.
 *
 * @param dims         value of each dimension, in the order of {@code :dims}
 * @param elements     size of each buffer, in elements
 * @param bytes        size of each buffer, in bytes
 * @param offsets      where each {@code :temp} buffer begins in the arena, in bytes, a multiple of
 *                     {@link Arena#ALIGNMENT}; -1 for other kinds
 * @param arenaBytes   size of the arena, in bytes
 * @param inputShapes  axis lengths of each input
 * @param stateShapes  axis lengths of each state variable
 * @param outputShapes axis lengths of each output
 * @param open         for each buffer, whether it may be seen before it is written whole; empty
 *                     for a program that is trusted to write what it reads
 * @param work         how many statements and multiplications run, at most; infinite where
 *                     the application's own code runs
 */
public record Binding(long[] dims, long[] elements, long[] bytes, long[] offsets, long arenaBytes,
                      List<long[]> inputShapes, List<long[]> stateShapes,
                      List<long[]> outputShapes, boolean[] open, double work) { }
