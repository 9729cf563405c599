import { Host } from './host.js';
import { CannotRun, compile } from './wasm.js';

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60000;
// A program that ran this long was not broken from the start.
const LASTING = 60000;

/**
 * Runs the Go program: loads it when the first page says hello, keeps what pages say until it is ready, and starts it again when it ends.
 */
export class Program {
	/**
	 * @param {Object} pages
	 * @param {function(string, Object)} pages.post a message to the page of a client
	 * @param {function()} pages.lost the program has ended and knows nothing any more
	 * @param {function()} pages.welcome it would start again
	 * @param {function(string)} pages.failed it cannot run here, says the message
	 * @param {function()} pages.look is called before the program hears of anything that time has brought
	 * @param {Object} [env] what tests replace
	 */
	constructor( pages, env ) {
		this.pages = pages;
		this.env = Object.assign( { compile, Go: () => new self.Go(), instantiate }, env );
		this.module = null;
		this.starting = false;
		this.host = null;
		this.waiting = [];
		this.wait = FIRST_WAIT;
	}

	/**
	 * Hand over a message of a page.
	 *
	 * @param {string} client
	 * @param {Object} message
	 */
	deliver( client, message ) {
		if ( message.op === 'hello' && !this.starting && !this.host ) {
			this.start( message.wasm );
		}
		if ( this.host ) {
			this.host.deliver( client, message );
		} else if ( this.starting ) {
			this.waiting.push( [ client, message ] );
		}
	}

	async start( url ) {
		this.starting = true;
		try {
			this.module = this.module || await this.env.compile( url );
			await this.run();
		} catch ( e ) {
			this.starting = false;
			this.waiting = [];
			if ( e instanceof CannotRun ) {
				this.pages.failed( e.message );
			} else {
				this.again(); // the network, most likely
			}
		}
	}

	async run() {
		const go = this.env.Go();
		const host = new Host( this.pages.post );
		host.onTime = this.pages.look;
		const started = Date.now();
		let over = false;
		const ended = () => {
			if ( !over ) {
				over = true;
				this.ended( host, Date.now() - started );
			}
		};
		watch( go, ended );
		const instance = await this.env.instantiate( this.module, go.importObject );
		self.webSocketHost = host;
		go.run( instance ).then( ended, ended );
		delete self.webSocketHost;
		if ( !over && host.receive ) {
			this.host = host;
			this.starting = false;
			// Before anything else can come in.
			this.waiting.splice( 0 ).forEach( ( [ client, message ] ) => host.deliver( client, message ) );
		}
	}

	ended( host, lasted ) {
		host.end();
		this.host = null;
		this.starting = false;
		this.waiting = [];
		if ( lasted > LASTING ) {
			this.wait = FIRST_WAIT;
		}
		this.again();
	}

	// The pages answer the welcome with hello, and that starts the program.
	again() {
		this.pages.lost();
		setTimeout( () => this.pages.welcome(), this.wait * ( 0.5 + Math.random() / 2 ) );
		this.wait = Math.min( this.wait * 2, LONGEST_WAIT );
	}
}

function instantiate( module, imports ) {
	return WebAssembly.instantiate( module, imports );
}

/**
 * Notice also what Go itself does not: an error that wasm throws while the browser calls into it.
 *
 * @param {Object} go
 * @param {function()} ended
 */
function watch( go, ended ) {
	const resume = go._resume;
	const exit = go.exit;
	go.exit = ( code ) => {
		exit( code );
		// What is left of its timers would only throw.
		go._scheduledTimeouts.forEach( ( timeout ) => clearTimeout( timeout ) );
		ended();
	};
	go._resume = () => {
		try {
			resume.call( go );
		} catch ( e ) {
			ended();
			throw e;
		}
	};
}
