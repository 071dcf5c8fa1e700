package damo.runtime;

import damo.tensor.Tensor;

/**
 * The kernel of an op as code on the JVM. It must give equal results for equal arguments, may be
 * called from many threads at once, and must not keep the call or its tensors.
 *
 * <p>Example: {@code HostKernel twice = call -> { Tensor x = call.input(0); … return result; };}
 */
@FunctionalInterface
public non-sealed interface HostKernel extends OpKernel {
    /**
     * Computes the op: writes all of {@link HostCall#output}, which holds zeros, and returns null
     * or that tensor; or returns another tensor of its dtype and shape, which is copied there and
     * stays the kernel's own. Whatever it throws stops the function that is being called, changes
     * no state, and reaches the caller as the cause of a DamoException of kind "host-kernel".
     */
    Tensor run(HostCall call) throws Exception;
}
