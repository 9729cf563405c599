import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Clock } from './clock.js';

test( 'time that nobody saw pass is a sleep', () => {
	let now = 1e12;
	let tick;
	let every;
	mock.method( Date, 'now', () => now );
	mock.method( globalThis, 'setInterval', ( run, ms ) => {
		tick = run;
		every = ms;
	} );
	try {
		let woke = 0;
		const clock = new Clock( () => woke++ );
		clock.start();
		for ( let i = 0; i < 100; i++ ) {
			now += every;
			tick();
		}
		now += every + 20000; // late, though not too late
		tick();
		assert.equal( woke, 0 );
		now += every + 20001;
		clock.look(); // an event that comes before the timer
		assert.equal( woke, 1 );
		tick();
		now -= 7200000; // somebody set the clock back
		tick();
		now += every;
		tick();
		assert.equal( woke, 1 );
	} finally {
		mock.restoreAll();
	}
} );
