//===- StridedViewTest.cpp - Composed views against an index-by-index oracle
//==//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nvfp4/Target/Package/StridedView.h"

#include <gtest/gtest.h>

#include <random>

using namespace nvfp4;

namespace {

/// The oracle: a tensor whose elements say where they come from.
struct Naive {
  Extents shape;
  std::vector<std::pair<int64_t, int64_t>> elements;

  static Naive ofSource(int64_t source, const Extents &shape) {
    Naive naive{shape, {}};
    for (int64_t i = 0; i < getNumElements(shape); ++i)
      naive.elements.push_back({source, i});
    return naive;
  }

  static Extents unravel(int64_t linear, const Extents &shape) {
    Extents index(shape.size());
    for (size_t i = shape.size(); i-- > 0; linear /= shape[i])
      index[i] = linear % shape[i];
    return index;
  }

  std::pair<int64_t, int64_t> at(const Extents &index) const {
    int64_t linear = 0;
    for (size_t i = 0; i < shape.size(); ++i)
      linear = linear * shape[i] + index[i];
    return elements[linear];
  }

  template <typename Fn>
  Naive build(const Extents &newShape, Fn getOldIndex) const {
    Naive result{newShape, {}};
    for (int64_t i = 0; i < getNumElements(newShape); ++i)
      result.elements.push_back(at(getOldIndex(unravel(i, newShape))));
    return result;
  }
};

/// Materializes a view by its definition.
Naive materialize(const StridedView &view) {
  Naive result{view.getShape(), {}};
  result.elements.assign(view.getNumElements(), {-1, -1});
  for (const ViewSegment &segment : view.getSegments())
    for (int64_t i = 0; i < getNumElements(segment.extents); ++i) {
      Extents index = Naive::unravel(i, segment.extents);
      int64_t target = 0, element = segment.offset;
      for (size_t f = 0; f < index.size(); ++f) {
        target = target * view.getFactors()[f] + segment.origin[f] + index[f];
        element += index[f] * segment.strides[f];
      }
      EXPECT_EQ(result.elements[target].first, -1) << "boxes overlap";
      result.elements[target] = {segment.source, element};
    }
  return result;
}

void expectSame(const StridedView &view, const Naive &naive,
                const std::string &chain) {
  ASSERT_EQ(view.getShape(), naive.shape) << chain;
  ASSERT_EQ(materialize(view).elements, naive.elements) << chain;
}

class RandomChain {
public:
  explicit RandomChain(uint32_t seed) : random(seed) {}

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }

  void start(int64_t source) {
    Extents shape;
    for (int64_t i = pick(0, 4); i > 0; --i)
      shape.push_back(pick(1, 6));
    view = StridedView::ofSource(source, shape);
    naive = Naive::ofSource(source, shape);
    chain = "source";
  }

  void step() {
    switch (pick(0, 5)) {
    case 0:
      return remap();
    case 1:
      return expand();
    case 2:
      return collapse();
    case 3:
      return slice();
    case 4:
      return concat();
    case 5:
      chain += " canonicalize";
      return view.canonicalize();
    }
  }

  StridedView view = StridedView::ofSource(0, {});
  Naive naive;
  std::string chain;

private:
  void expectOk(const Status &status) {
    ASSERT_TRUE(status.ok()) << chain << ": " << status.getMessage();
  }

  void remap() {
    chain += " remap";
    const Extents old = naive.shape;
    Extents dims;
    for (size_t i = 0; i < old.size(); ++i)
      if (old[i] != 1 || pick(0, 1))
        dims.push_back(i);
    std::shuffle(dims.begin(), dims.end(), random);
    if (pick(0, 3) == 0)
      dims.insert(dims.begin() + pick(0, dims.size()), -1);
    Extents shape;
    for (int64_t dim : dims)
      shape.push_back(dim < 0 ? pick(1, 3) : old[dim]);
    expectOk(view.remap(dims, shape));
    naive = naive.build(shape, [&](const Extents &index) {
      Extents source(old.size(), 0);
      for (size_t i = 0; i < dims.size(); ++i)
        if (dims[i] >= 0)
          source[dims[i]] = index[i];
      return source;
    });
  }

  void expand() {
    chain += " expand";
    std::vector<Extents> lists;
    Extents shape;
    for (int64_t extent : naive.shape) {
      Extents list;
      while (extent > 1) {
        std::vector<int64_t> divisors;
        for (int64_t d = 1; d <= extent; ++d)
          if (extent % d == 0)
            divisors.push_back(d);
        int64_t divisor = divisors[pick(0, divisors.size() - 1)];
        list.push_back(divisor);
        extent /= divisor;
      }
      if (extent != 1 || list.empty() || pick(0, 4) == 0)
        list.push_back(extent);
      shape.insert(shape.end(), list.begin(), list.end());
      lists.push_back(list);
    }
    if (lists.empty()) {
      lists.push_back({1, 1});
      shape = {1, 1};
    }
    expectOk(view.expand(lists));
    naive.shape = shape;
  }

  void collapse() {
    chain += " collapse";
    Extents counts, shape;
    for (size_t i = 0; i < naive.shape.size();) {
      int64_t count = pick(1, naive.shape.size() - i), extent = 1;
      for (int64_t k = 0; k < count; ++k)
        extent *= naive.shape[i++];
      counts.push_back(count);
      shape.push_back(extent);
    }
    expectOk(view.collapse(counts));
    naive.shape = shape;
  }

  void slice() {
    chain += " slice";
    Extents offsets, sizes, steps;
    for (int64_t extent : naive.shape) {
      if (extent == 0 || pick(0, 1)) {
        offsets.push_back(0), sizes.push_back(extent), steps.push_back(1);
        continue;
      }
      int64_t step = pick(1, 3), offset = pick(0, extent - 1);
      int64_t size =
          pick(pick(0, 30) ? 1 : 0, (extent - 1 - offset) / step + 1);
      offsets.push_back(offset), sizes.push_back(size), steps.push_back(step);
    }
    expectOk(view.slice(offsets, sizes, steps));
    naive = naive.build(sizes, [&](Extents index) {
      for (size_t i = 0; i < index.size(); ++i)
        index[i] = offsets[i] + index[i] * steps[i];
      return index;
    });
  }

  /// Joins with itself, or with another source, sliced or transposed before.
  void concat() {
    if (naive.shape.empty() || getNumElements(naive.shape) > 2000)
      return;
    chain += " concat";
    int64_t dim = pick(0, naive.shape.size() - 1);
    Extents otherShape = naive.shape;
    otherShape[dim] = pick(1, 4);
    StridedView otherView = view;
    Naive other = naive;
    if (pick(0, 1)) {
      // A transposed source has other strides than the view.
      Extents reversed(otherShape.rbegin(), otherShape.rend()), dims;
      for (size_t i = otherShape.size(); i-- > 0;)
        dims.push_back(i);
      otherView = StridedView::ofSource(7, reversed);
      expectOk(otherView.remap(dims, otherShape));
      other = Naive::ofSource(7, reversed).build(otherShape, [](Extents index) {
        return Extents(index.rbegin(), index.rend());
      });
    }
    Naive first = naive;
    auto joined = StridedView::concat({view, otherView}, dim);
    expectOk(joined.getStatus());
    view = *joined;
    Extents shape = first.shape;
    shape[dim] += other.shape[dim];
    Naive result{shape, {}};
    for (int64_t i = 0; i < getNumElements(shape); ++i) {
      Extents index = Naive::unravel(i, shape);
      bool isFirst = index[dim] < first.shape[dim];
      if (!isFirst)
        index[dim] -= first.shape[dim];
      result.elements.push_back(isFirst ? first.at(index) : other.at(index));
    }
    naive = result;
  }

  std::mt19937 random;
};

TEST(StridedView, RandomChainsAgreeWithOracle) {
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    RandomChain chain(seed);
    chain.start(seed % 3);
    for (int i = 0; i < 8; ++i) {
      chain.step();
      expectSame(chain.view, chain.naive,
                 "seed " + std::to_string(seed) + ": " + chain.chain);
      if (HasFatalFailure() || getNumElements(chain.naive.shape) > 20000)
        break;
    }
    if (HasFatalFailure())
      break;
  }
}

TEST(StridedView, CollapseOfTransposeIsOneBox) {
  StridedView view = StridedView::ofSource(0, {4, 6});
  ASSERT_TRUE(view.remap({1, 0}, {6, 4}).ok());
  ASSERT_TRUE(view.collapse({2}).ok());
  ASSERT_TRUE(view.expand({{2, 12}}).ok());
  view.canonicalize();
  EXPECT_EQ(view.getShape(), (Extents{2, 12}));
  EXPECT_EQ(view.getSegments().size(), 1u);
  EXPECT_TRUE(view.isPermutation(24));
  EXPECT_FALSE(view.isWholeSource(24));
}

TEST(StridedView, EqualViewsHaveEqualKeys) {
  // Transposing twice, and a reshape there and back, are nothing.
  StridedView plain = StridedView::ofSource(0, {4, 6}), view = plain;
  ASSERT_TRUE(view.remap({1, 0}, {6, 4}).ok());
  ASSERT_TRUE(view.expand({{2, 3}, {4}}).ok());
  ASSERT_TRUE(view.remap({2, 0, 1}, {4, 2, 3}).ok());
  ASSERT_TRUE(view.collapse({1, 2}).ok());
  view.canonicalize();
  plain.canonicalize();
  EXPECT_EQ(view.getKey(), plain.getKey());
  EXPECT_TRUE(view.isWholeSource(24));
  StridedView other = StridedView::ofSource(1, {4, 6});
  other.canonicalize();
  EXPECT_NE(other.getKey(), plain.getKey());
}

TEST(StridedView, RefusesMoreBoxesThanTheLimit) {
  // A reshape across a transpose of two odd extents gathers single elements.
  StridedView view = StridedView::ofSource(0, {127, 131});
  ASSERT_TRUE(view.remap({1, 0}, {131, 127}).ok());
  ASSERT_TRUE(view.collapse({2}).ok());
  ASSERT_TRUE(view.slice({1}, {16635}, {1}).ok());
  EXPECT_LE(view.getSegments().size(), 131u);
  Status status = view.expand({{5, 3327}});
  EXPECT_TRUE(status.ok());
  StridedView large = StridedView::ofSource(0, {3, 5000});
  ASSERT_TRUE(large.remap({1, 0}, {5000, 3}).ok());
  ASSERT_TRUE(large.collapse({2}).ok());
  status = large.slice({1}, {14998}, {1});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.getMessage().find("expected a view of at most 4096 boxes"),
            std::string::npos);
}

TEST(StridedView, RefusesSliceOutside) {
  StridedView view = StridedView::ofSource(0, {4});
  Status status = view.slice({2}, {3}, {1});
  EXPECT_EQ(status.getMessage(),
            "expected a slice inside dimension 0 of extent 4 with positive "
            "steps, but got offset 2, size 3, step 1");
}

} // namespace
