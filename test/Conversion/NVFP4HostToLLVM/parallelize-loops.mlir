// RUN: nvfp4-opt %s --nvfp4-parallelize-loops | FileCheck %s

/// The loop uses %x alone: the state has the rows per piece, the rows, and %x.
// CHECK-LABEL: llvm.func internal @loop(
//   CHECK-NOT:   nvfp4.grain
// CHECK-LABEL: llvm.func internal @loop.body(
//  CHECK-SAME:     %[[STATE:[^ ]+]]: !llvm.ptr, %[[BEGIN:[^ ]+]]: i64, %[[END:[^ ]+]]: i64)
//       CHECK:   %[[PER:.+]] = llvm.load %{{.+}} : !llvm.ptr -> i64
//       CHECK:   %[[ROWS:.+]] = llvm.load %{{.+}} : !llvm.ptr -> i64
//       CHECK:   %[[B:.+]] = llvm.mul %[[BEGIN]], %[[PER]]
//       CHECK:   %[[FIRST:.+]] = llvm.intr.smin(%[[B]], %[[ROWS]])
//       CHECK:   %[[E:.+]] = llvm.mul %[[END]], %[[PER]]
//       CHECK:   %[[LAST:.+]] = llvm.intr.smin(%[[E]], %[[ROWS]])
//       CHECK:   %[[UNUSED:.+]] = llvm.mlir.poison
//       CHECK:   %[[X:.+]] = llvm.load %{{.+}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   llvm.call @loop(%[[FIRST]], %[[LAST]], %{{.+}}, %[[X]])
llvm.func internal @loop(%begin: i64, %end: i64, %unused: i64, %x: !llvm.ptr) attributes {nvfp4.grain = 8 : i64} {
  llvm.store %begin, %x : i64, !llvm.ptr
  llvm.store %end, %x : i64, !llvm.ptr
  llvm.return
}

// CHECK-LABEL: llvm.func internal @main(
//  CHECK-SAME:     %[[CONTEXT:[^ ]+]]: !llvm.ptr, %[[N:[^ ]+]]: i64, %[[Y:[^ ]+]]: !llvm.ptr)
//       CHECK:   %[[STATE:.+]] = llvm.alloca %{{.+}} x i64
//       CHECK:   %[[GRAIN:.+]] = llvm.mlir.constant(8 : i64)
//       CHECK:   llvm.udiv %[[N]], %[[GRAIN]]
//       CHECK:   %[[PIECES:.+]] = llvm.intr.smax(
//       CHECK:   llvm.store %[[N]], %{{.+}}
//       CHECK:   llvm.store %[[Y]], %{{.+}}
//       CHECK:   %[[BODY:.+]] = llvm.mlir.addressof @loop.body
//       CHECK:   llvm.call %{{.+}}(%{{.+}}, %[[PIECES]], %[[BODY]], %[[STATE]])
//   CHECK-NOT:   llvm.call @loop
llvm.func internal @main(%context: !llvm.ptr, %n: i64, %y: !llvm.ptr) {
  %zero = llvm.mlir.constant(0 : i64) : i64
  llvm.call @loop(%zero, %n, %n, %y) : (i64, i64, i64, !llvm.ptr) -> ()
  llvm.return
}
