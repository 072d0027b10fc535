"""Is lower or higher better? 150 names as frameworks, papers and leaderboards write them, read by a person first."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.runs.directions import direction_of, told_by


def names_in(text: str) -> list[str]:
    return text.split()


LOWER = names_in("""
neg_log_likelihood mean_rank MedR accuracy_drop accuracy_gap dice_loss iou_loss top1_err fpr kl lpips train/loss
val_loss valLoss eval_loss loss_cls loss/loss_bbox losses/total_loss train/box_loss val/dfl_loss loss_dice
train/policy_gradient_loss train/value_loss rollout/entropy_loss logloss hamming_loss contrastive_loss reward_loss
neg_elbo nll negative_log_likelihood mean_absolute_error mean_squared_error root_mean_squared_error rmse test/nme mape
categorical_crossentropy cross_entropy perplexity val/ppl bits_per_byte eval/bits_per_dim brier_score ece
word_error_rate test/wer cer fid fid_score kid EPE abs_rel chamfer_distance hausdorff_distance hd95 edit_distance assd
wasserstein false_positive_rate false_negative_rate fpr95 fpr@95tpr eer test/EER miss_rate false_alarm_rate
failure_rate collision_rate constraint_violations cumulative_regret simple_regret approx_kl kl_divergence
js_divergence latency_ms inference_time epoch/seconds seconds_per_epoch peak_memory_mb eval_runtime yaw_error
top5_error rank1_error test/MnR retrieval/median_rank generalization_gap loss_gap mpjpe PA-MPJPE DER forgetting
recall_drop iou_degradation train/clip_loss val/loss_epoch test_loss_step loss/train accuracy_loss
""")
HIGHER = names_in("""
neg_mean_squared_error neg_rmse s_measure success_rate ep_rew_mean mcc kappa cosine_similarity fps bbox_mAP_s
neg_root_mean_squared_error neg_mean_absolute_error neg_log_loss neg_brier_score neg_median_absolute_error val/acc
val_accuracy sparse_categorical_accuracy top1 top-5 top1_acc eval_accuracy acc@1 test/mAP mAP bbox_mAP_50
coco/segm_mAP_l metrics/mAP50-95(B) metrics/precision(B) AR@100 rank1 Rank-1 R@10 recall@5 AUC@0.08 auroc roc_auc
pr_auc average_precision recall specificity sensitivity tpr TPR@FPR=0.01 tpr_at_fpr_1e-3 f1 f1_score macro_f1 F1-macro
f_measure fbeta mIoU IoU giou mean_dice dice_score PSNR ssim ms_ssim r2 r2_score explained_variance pearson
spearman_correlation cohen_kappa quadratic_weighted_kappa ndcg@10 mrr MRR@100 hit_rate hits@10 bleu sacrebleu/bleu
rouge1 rougeL meteor CIDEr chrf bert_score eval/mean_reward rollout/ep_rew_mean episode_return win_rate log_likelihood
elbo images_per_s speed/samples_per_second images/s train/tokens_per_sec time/fps mfu MOTA HOTA pck nmi
silhouette_score inception_score clip_score exact_match pass@1 true_positive_rate positive_predictive_value
worst_group_acc loss/acc mAcc mDice error_reduction accuracy_improvement mIoU_improvement val/mean_score
balanced_accuracy binary_accuracy
""")
ASKED = names_in("""
test/q grad_norm loss_auc val/ loss/accuracy_head acc_std loss_scale loss_weight learning_rate policy_entropy rank
effective_rank toxicity_score neg_acc neg_loss acc_diff delta_acc num_hits accuracy_threshold reward_std ep_len_mean
information_gain distance_travelled loss_increase inverse_depth_error total_timesteps lr-AdamW train/epoch params
temperature gflops 1-loss one_minus_iou standard_error ops/s ops_per_s map_time success_time time_to_success
survival_time best_loss_epoch max_acc_epoch beta_kl similarity_gap
""")


def test_the_collection_is_of_150_names_and_more() -> None:
    assert len({*LOWER, *HIGHER}) >= 150
    assert len({*LOWER, *HIGHER, *ASKED}) == len(LOWER) + len(HIGHER) + len(ASKED)


@pytest.mark.parametrize("name", LOWER)
def test_lower_is_better(name: str) -> None:
    assert told_by(name) == "min"


@pytest.mark.parametrize("name", HIGHER)
def test_higher_is_better(name: str) -> None:
    assert told_by(name) == "max"


@pytest.mark.parametrize("name", ASKED)
def test_what_a_name_does_not_say_is_asked(name: str) -> None:
    assert told_by(name) is None
    with pytest.raises(InputError, match="whether lower or higher"):
        direction_of(name)
    assert direction_of(name, "max") == "max"
