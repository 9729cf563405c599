import { HttpSocket } from './transport.http.js';

/**
 * The relay is asked again and again, and answers when it has frames or after 25 seconds.
 */
export class PollSocket extends HttpSocket {
	async run() {
		this.opened( ( await this.ask( 'open' ) ).key );
		for ( let next = 0; this.readyState === 1; ) {
			const answer = await this.ask( 'poll ' + this.key + ' ' + next );
			if ( answer.close ) {
				this.closed( answer.close.code, answer.close.reason );
				return;
			}
			answer.frames.forEach( ( frame ) => this.heard( frame ) );
			next = answer.next;
		}
	}

	async ask( body ) {
		return ( await this.request( body ) ).json();
	}
}
