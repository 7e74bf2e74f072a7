import COneDNN

/// A prepared operation that any number of threads may run at the same time.
///
/// Scratch memory is handed to each call. The library's own belongs to the thread that made the primitive, so two
/// threads running one primitive would compute in the same memory.
final class Primitive: @unchecked Sendable {
    private let primitive: dnnl_primitive_t?
    let scratchpad: dnnl_memory_desc_t
    private let scratchpadByteCount: Int

    /// Takes over the descriptor.
    init(_ descriptor: dnnl_primitive_desc_t?, _ what: @autoclosure () -> String) {
        var created: dnnl_primitive_t?
        OneDNN.check(dnnl_primitive_create(&created, descriptor), what())
        primitive = created
        let scratchpad = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0).pointee
        self.scratchpad = scratchpad
        scratchpadByteCount = withUnsafePointer(to: scratchpad) { dnnl_memory_desc_get_size($0) }
        dnnl_primitive_desc_destroy(descriptor)
    }

    deinit { dnnl_primitive_destroy(primitive) }

    func makeScratch() -> Storage? {
        scratchpadByteCount > 0 ? Storage(byteCount: scratchpadByteCount) : nil
    }

    func execute(_ arguments: [dnnl_exec_arg_t]) {
        OneDNN.check(
            dnnl_primitive_execute(primitive, OneDNN.stream, Int32(arguments.count), arguments), "to run")
    }

    /// Runs on buffers given with their argument number and layout.
    func run(_ buffers: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer)]) {
        let scratch = makeScratch()
        let arguments = buffers + (scratch.map { [(DNNL_ARG_SCRATCHPAD, scratchpad, $0.pointer)] } ?? [])
        withUnsafeTemporaryAllocation(of: dnnl_exec_arg_t.self, capacity: arguments.count) { list in
            for (i, (number, layout, pointer)) in arguments.enumerated() {
                var memory: dnnl_memory_t?
                withUnsafePointer(to: layout) {
                    OneDNN.check(dnnl_memory_create(&memory, $0, OneDNN.engine, pointer), "a buffer")
                }
                list.initializeElement(at: i, to: dnnl_exec_arg_t(arg: number, memory: memory))
            }
            OneDNN.check(
                dnnl_primitive_execute(primitive, OneDNN.stream, Int32(arguments.count), list.baseAddress),
                "to run")
            for argument in list { dnnl_memory_destroy(argument.memory) }
        }
        withExtendedLifetime(scratch) {}
    }
}

/// A primitive on buffers that are named once and change their place from call to call: a call makes no memory. For one
/// thread at a time.
final class PreparedPrimitive {
    private let primitive: Primitive
    private let memories: [dnnl_memory_t?]
    private let arguments: [dnnl_exec_arg_t]
    private let scratch: Storage?

    /// - Parameter buffers: argument numbers, layouts, and the place of those that stay.
    init(
        _ primitive: Primitive, _ buffers: [(Int32, dnnl_memory_desc_t, UnsafeMutableRawPointer?)]
    ) {
        self.primitive = primitive
        scratch = primitive.makeScratch()
        let all = buffers + (scratch.map { [(DNNL_ARG_SCRATCHPAD, primitive.scratchpad, $0.pointer)] } ?? [])
        memories = all.map { _, layout, pointer in
            var memory: dnnl_memory_t?
            withUnsafePointer(to: layout) {
                OneDNN.check(dnnl_memory_create(&memory, $0, OneDNN.engine, pointer), "a buffer")
            }
            return memory
        }
        arguments = zip(all, memories).map { dnnl_exec_arg_t(arg: $0.0, memory: $1) }
    }

    deinit { for memory in memories { dnnl_memory_destroy(memory) } }

    /// Moves a buffer.
    func place(_ index: Int, _ pointer: UnsafeMutableRawPointer) {
        OneDNN.check(dnnl_memory_set_data_handle(memories[index], pointer), "a buffer's place")
    }

    func run() { primitive.execute(arguments) }
}
