/* support/small_model.h: a model over two features as LightGBM would write it: one tree, with the counts that explaining needs. */
#ifndef RIDE_TESTS_SMALL_MODEL_H
#define RIDE_TESTS_SMALL_MODEL_H
#include <stdbool.h>
#include <stdio.h>

static inline bool small_model_write(const char *path, const char *one, const char *two) {
    static const char form[] = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
                               "max_feature_idx=1\nobjective=binary sigmoid:1\nfeature_names=%s %s\n"
                               "feature_infos=[0:9] [0:9]\n\n"
                               "Tree=0\nnum_leaves=3\nnum_cat=0\nsplit_feature=0 1\nsplit_gain=1 1\nthreshold=1 2.5\n"
                               "decision_type=2 2\nleft_child=1 -1\nright_child=-2 -3\nleaf_value=-1 0.5 0.75\n"
                               "leaf_weight=3 4 2\nleaf_count=30 40 20\ninternal_value=0 0\ninternal_weight=9 5\n"
                               "internal_count=90 50\nis_linear=0\nshrinkage=1\n\n\nend of trees\n";
    FILE *file = fopen(path, "w");
    if (file == NULL) return false;
    fprintf(file, form, one, two);
    return fclose(file) == 0;
}

#endif
