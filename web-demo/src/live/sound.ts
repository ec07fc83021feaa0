let context: AudioContext | undefined;

/** A short, quiet tone. A browser that has heard no click yet stays silent. */
export function chime(): void {
    context ??= new AudioContext();
    if (context.state === "suspended") {
        void context.resume();
    }
    const start = context.currentTime;
    const volume = context.createGain();
    volume.gain.setValueAtTime(0.12, start);
    volume.gain.exponentialRampToValueAtTime(0.001, start + 0.5);
    volume.connect(context.destination);
    for (const [index, frequency] of [660, 880].entries()) {
        const tone = context.createOscillator();
        tone.frequency.value = frequency;
        tone.connect(volume);
        tone.start(start + index * 0.12);
        tone.stop(start + 0.5);
    }
}
