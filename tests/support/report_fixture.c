#include "support/report_fixture.h"

static const ch_report_task tasks[TASKS] = {{"ticket_routing", "exact", 64, WORDINGS},
                                            {"extract_amount", "exact", 64, WORDINGS},
                                            {"odd_word", "exact", 64, WORDINGS}};
static const char *const wordings[WORDINGS] = {
    "Decide which team should get this ticket: billing, technical, sales or account.",
    "Which of billing, technical, sales, account does the message belong to?",
    "Read the customer's message & name the <team> that handles it (billing, technical, sales, "
    "account).",
    "You sort our mail. Answer with one word: billing, technical, sales or account."};
static const ch_report_answer before[WORDINGS] = {
    {"The customer's message is about a <script>alert(1)</script> payment.", 0, 0},
    {"Billing", 1, 1},
    {"", 0, 2},
    {"technical\x1b[31m \xff\"quoted\"", 0, 3}};
static const ch_report_answer after[WORDINGS] = {
    {"billing", 1, 0}, {"billing", 1, 0}, {"billing", 1, 0}, {"sales", 0, 1}};
static const ch_report_example examples[] = {{"ticket_routing",
                                              "I was charged twice in March & nobody answers.",
                                              "billing", WORDINGS, wordings, before, after}};
static const char *const warnings[] = {"The dev set has 12 inputs only."};
const uint64_t report_seeds[2] = {17, 18446744073709551615u};

static const struct {
    const char *name, *description;
    double cr, mcr, acc, worst;
} shape[ARMS] = {
    {"base", "the model as it came", 0.099, 0.353, 0.004, 0.0},
    {"SFT", "from base, 80 updates of 8", 0.616, 0.776, 0.616, 0.453},
    {"SFT(IA)", "from base, 80 updates of 8, 4 wordings", 0.748, 0.853, 0.647, 0.583},
    {"SFT(IA) + CAT", "from SFT(IA), 60 updates of 8", 0.768, 0.857, 0.646, 0.573},
    {"SFT(IA) + SFT", "from SFT(IA), 60 updates of 8, the control", 0.780, 0.865, 0.681, 0.609}};

static ch_stat around(double v, double w)
{
    return (ch_stat){v, fmax(0, v - w), fmin(1, v + w)};
}

static void fill_measure(fixture *x, int a)
{
    ch_measure *m = &x->arms[a].measure;
    for (int k = 0; k < CH_M_COUNT; k++)
        m->all[k] = around(0.5, 0.031);
    m->all[CH_M_CR] = around(shape[a].cr, 0.024);
    m->all[CH_M_MCR] = around(shape[a].mcr, 0.021);
    m->all[CH_M_ACC] = around(shape[a].acc, 0.028);
    m->all[CH_M_WORST] = around(shape[a].worst, 0.034);
    m->all[CH_M_EMPTY] = around(0.01, 0.005);
    m->all[CH_M_LENGTH] = (ch_stat){4.25, 3.5, 5.125};
    m->n_tasks = TASKS;
    m->n_cases = 192;
    m->n_wordings = m->most_wordings = WORDINGS;
    m->by_task = x->by_task[a];
    for (int t = 0; t < TASKS; t++)
        for (int k = 0; k < CH_M_COUNT; k++)
            m->by_task[t][k] = m->all[k].value * (0.8 + 0.1 * t);
}

static void fill_arm(fixture *x, int a)
{
    ch_report_arm *arm = &x->arms[a];
    arm->name = shape[a].name;
    arm->description = shape[a].description;
    arm->hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    fill_measure(x, a);
    arm->has_diff = a > 0;
    for (int k = 0; a > 0 && k < CH_M_COUNT; k++) {
        double v = arm->measure.all[k].value - x->arms[0].measure.all[k].value;
        arm->diff[k] = (ch_stat){v, v - 0.026, v + 0.026};
    }
    if (a == 0)
        return;
    for (int i = 0; i < UPDATES; i++)
        x->train[a][i] = 0.4 / a + 2.0 * exp(-0.08 * i) + 0.07 * sin(1.7 * i + a);
    for (int i = 0; i < DEVS; i++)
        x->dev[a][i] = 0.5 / a + 1.9 * exp(-0.8 * i);
    arm->curve =
        (ch_report_curve){UPDATES, DEVS, x->train_step, x->train[a], x->dev_step, x->dev[a]};
}

void report_fill(fixture *x)
{
    for (int i = 0; i < UPDATES; i++)
        x->train_step[i] = i + 1;
    for (int i = 0; i < DEVS; i++)
        x->dev_step[i] = 10 * i;
    for (int a = 0; a < ARMS; a++)
        fill_arm(x, a);
    ch_report_arm *cat = &x->arms[3];
    cat->versus = "SFT(IA) + SFT";
    for (int k = 0; k < CH_M_COUNT; k++)
        cat->versus_diff[k] = (ch_stat){-0.012, -0.031, 0.006};
    cat->versus_diff[CH_M_ACC] = (ch_stat){-0.035, -0.052, -0.019};
    x->d = (ch_report_data){
        .title = "Eight small jobs, reworded",
        .model = "SmolLM2-135M-Instruct",
        .base_hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        .recipe = "model: models/demo.gguf\narms:\n  - name: \"SFT(IA) + CAT\" # <b>\n",
        .recipe_hash = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
        .seeds = report_seeds,
        .n_seeds = 2,
        .bootstrap_seed = 7,
        .resamples = 1000,
        .split = "unseen wordings and unseen inputs",
        .sim_closed = "exact match after normalising",
        .n_tasks = TASKS,
        .n_inputs = 192,
        .n_wordings = WORDINGS,
        .most_wordings = WORDINGS,
        .tasks = tasks,
        .arms = x->arms,
        .n_arms = ARMS,
        .main_arm = 3,
        .examples = examples,
        .n_examples = 1,
        .warnings = warnings,
        .n_warnings = 1,
        .dropped_wordings = 2};
}
