#if ISAL
  internal import CISAL

  /// The calls to Intel's ISA-L, which deflates several times as fast as zlib for some percent of size.
  enum ISAL {
    /// The CRC-32 of data. The corresponding C function is `crc32_gzip_refl`.
    static func crc32(_ input: [UInt8]) -> UInt32 {
      unsafe input.withUnsafeBufferPointer { unsafe cisal_crc32($0.baseAddress, UInt64($0.count)) }
    }

    /// Compresses data into one array, raw, as ``Zlib/deflate(_:isLast:_:into:)`` does.
    ///
    /// - Parameter level: 1 to 3.
    /// - Returns: The compressed bytes, or `nil` if there would be more than `capacity`.
    /// - Throws: ``ZipError/isal(code:)``.
    ///
    /// The corresponding C function is `isal_deflate_stateless`.
    static func deflate(
      _ input: [UInt8], isLast: Bool, level: UInt32, into capacity: Int
    ) throws(ZipError) -> [UInt8]? {
      let workSize = Int(cisal_level_buffer_size(level))
      var code = COMP_OK
      let output = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
        unsafe input.withUnsafeBufferPointer { input in
          unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: workSize) { work in
            var written: UInt32 = 0
            code = unsafe cisal_deflate(
              level, work.baseAddress, UInt32(workSize), input.baseAddress, UInt32(input.count),
              isLast ? 1 : 0, output.baseAddress, UInt32(output.count), &written)
            count = code == COMP_OK ? Int(written) : 0
          }
        }
      }
      guard code == COMP_OK || code == STATELESS_OVERFLOW else { throw .isal(code: code) }
      return code == COMP_OK ? output : nil
    }
  }
#endif
